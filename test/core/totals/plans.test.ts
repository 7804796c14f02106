import { sql } from 'kysely'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { sumTotals } from '../../../src/core/totals/sum-totals.ts'
import { connectDatabase, type Database } from '../../../src/database/connect.ts'
import { createTestDatabase, type TestDatabase } from '../../support/database.ts'
import { collectPlans, EXPLAIN_ALL, readWhole, sumOfBlocks } from '../../support/explain.ts'
import { loadHistory } from '../../support/history.ts'
import { quietLog } from '../../support/quiet-log.ts'
import { readBothTotals, sumAll } from '../../support/sum-all.ts'
import { statementsOf } from '../statements/importing.ts'

/** Payments that were summed before: `PAYMENTS=10000000` makes no difference. */
const PAYMENTS = Number(process.env['PAYMENTS'] ?? 20_000)

/** Blocks that a round may touch which sums nothing, and that a year of three partners takes: a row of sums, one at most. */
const BLOCKS_FOR_ITSELF = 40
const BLOCKS_TO_READ = 1_200

const GROWING = /^(?:payments|payment_history|daily_totals)(?:_\d|$)/

const explained = collectPlans()
let own: TestDatabase
let database: Database

beforeAll(async () => {
  own = await createTestDatabase()
  database = connectDatabase({ databaseUrl: own.url, poolSize: 1, log: quietLog, settings: EXPLAIN_ALL })
})
afterAll(async () => {
  await database.destroy()
  await own.drop()
})

/** Nothing that grows was read whole, and no more than so many blocks; then it is forgotten. */
const judge = (most: number): void => {
  expect(readWhole(explained, GROWING)).toEqual([])
  expect(sumOfBlocks(explained)).toBeLessThan(most)
  explained.length = 0
}

it('a round reads what succeeded since, and no more of what was before; so do totals, of sums alone', async () => {
  await loadHistory(database, { payments: PAYMENTS, partners: 3 })
  const startedAt = performance.now()
  await sumAll(database)
  if (process.env['PAYMENTS'] !== undefined)
    process.stdout.write(`${Math.round(performance.now() - startedAt)} ms for all of before\n`)
  const { summed, paid } = await readBothTotals(database)
  expect(summed).toEqual(paid)
  for (const isAnalyzed of [false, true]) {
    if (isAnalyzed) await sql`ANALYZE`.execute(database)
    explained.length = 0
    await sumTotals(database)
    judge(BLOCKS_FOR_ITSELF)
  }
  await sql`
    INSERT INTO daily_totals SELECT day::date, partner, 0, 1, 1
    FROM generate_series('2010-01-01', '2025-12-31', interval '1 day') day, generate_series(1, 3) partner
  `.execute(database)
  const year = { from: '2025-01-01', to: '2025-12-31' }
  explained.length = 0
  expect((await statementsOf(database).getTotals(year)).payments).toBe(1095n)
  expect(explained.length).toBeGreaterThan(0)
  judge(BLOCKS_TO_READ)
}, 3_600_000)
