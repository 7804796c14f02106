import type { Database } from '../../src/database/connect.ts'
import { readBothTotals, sumAll } from '../support/sum-all.ts'

/** What is summed once all is settled, beside what the payments themselves say: `problems`, none where they agree. */
export const wrongTotals = async (database: Database): Promise<string[]> => {
  await sumAll(database)
  const [summed, paid] = Object.values(await readBothTotals(database)).map((rows) =>
    JSON.stringify(rows, (_key, one: unknown) => (typeof one === 'bigint' ? Number(one) : one)),
  )
  return summed === paid ? [] : [`totals: ${summed} is summed, and ${paid} was paid`]
}
