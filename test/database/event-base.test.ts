import { sql } from 'kysely'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { migrateToLatest } from '../../src/database/migrate.ts'
import { type OpenDatabase, openTestDatabase } from '../support/database.ts'
import { quietLog } from '../support/quiet-log.ts'

let own: OpenDatabase
beforeEach(async () => {
  own = await openTestDatabase()
})
afterEach(() => own.close())

const migrate = () => migrateToLatest({ databaseUrl: own.url, log: quietLog })

const nextPosition = async (): Promise<bigint> => {
  const { rows } = await sql<{ next: bigint }>`SELECT current_event_position() AS next`.execute(own.database)
  return rows[0]?.next ?? 0n
}

/** Far above the numbers of this server's transactions, as in a database that was loaded from a dump. */
const FAR = 10n ** 12n

it.each([
  sql`INSERT INTO traffic_counted (events_to, events_at, attempts_to) VALUES (${FAR}, now(), now())`,
  sql`
    INSERT INTO totals_summed (begun_position, events_to, filled_to, fill_end, mark_position, mark_at)
    VALUES (${FAR}, ${FAR}, 0, 0, ${FAR}, now())
  `,
])('new events do not stand below what was counted or summed before a dump', async (counted) => {
  await counted.execute(own.database)
  await migrate()
  const next = await nextPosition()
  expect(next).toBeGreaterThanOrEqual(FAR)
  await migrate()
  expect(await nextPosition()).toBeLessThan(next + 1_000n)
})
