import { sql } from 'kysely'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { countTraffic } from '../../../src/core/traffic/count-traffic.ts'
import { readTraffic } from '../../../src/core/traffic/read-traffic.ts'
import { connectDatabase, type Database } from '../../../src/database/connect.ts'
import { createTestDatabase, type TestDatabase } from '../../support/database.ts'
import { collectPlans, EXPLAIN_ALL, readWhole, sumOfBlocks } from '../../support/explain.ts'
import { loadHistory } from '../../support/history.ts'
import { quietLog } from '../../support/quiet-log.ts'

/** Payments that were counted before: `PAYMENTS=10000000` makes no difference. */
const PAYMENTS = Number(process.env['PAYMENTS'] ?? 20_000)

/** Blocks that a round may touch which counts nothing, and more for each payment; 20,000 payments are 2,000. */
const BLOCKS_FOR_ITSELF = 800
const BLOCKS_A_PAYMENT = 60

/** Blocks that a week may take to be read. */
const BLOCKS_TO_READ = 200

const GROWING = /^(?:payments|deliveries|payment_history|attempts|traffic_counts)(?:_\d|$)/

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

const judge = (most: number): void => {
  expect(readWhole(explained, GROWING)).toEqual([])
  expect(sumOfBlocks(explained)).toBeLessThan(most)
}

const countAll = async (): Promise<void> => {
  while (await countTraffic(database));
}

it('counting reads what happened since, and no more of what was before', async () => {
  await countAll()
  await loadHistory(database, { payments: PAYMENTS, partners: 3 })
  await sql`
    UPDATE traffic_counted SET events_to = event_horizon(), attempts_to = date_trunc('second', now() - interval '1 minute')
  `.execute(database)
  await sql`SELECT brin_summarize_new_values(indexrelid) FROM pg_index
    JOIN pg_class ON pg_class.oid = indexrelid WHERE relname LIKE 'attempts%started_at%' AND relkind = 'i'`.execute(
    database,
  )
  for (const analyzed of [false, true]) {
    if (analyzed) await sql`ANALYZE`.execute(database)
    explained.length = 0
    await countAll()
    judge(BLOCKS_FOR_ITSELF)
    await loadHistory(database, { payments: 20, partners: 3 })
    explained.length = 0
    await countAll()
    judge(BLOCKS_FOR_ITSELF + 20 * BLOCKS_A_PAYMENT)
  }
}, 3_600_000)

it('a week is read by the primary key', async () => {
  // In the order of their time, as they are counted, and from a page's beginning: how many pages three rows of an hour are on
  // depends on what stands before them.
  await sql`TRUNCATE traffic_counts`.execute(database)
  const { rows } = await sql<{ at: Date }>`
    INSERT INTO traffic_counts (partner_id, span, at, measure, count)
    SELECT partner, span, date_trunc('hour', now(), 'UTC') - hour * interval '1 hour' AS at, measure, 1
    FROM generate_series(0, 20) partner, (VALUES ('minute'), ('quarter'), ('hour')) spans (span),
         generate_series(1, 170) hour, (VALUES ('accepted'), ('paid'), ('delivered')) measures (measure)
    ORDER BY at, partner, span, measure
    RETURNING at
  `.execute(database)
  explained.length = 0
  const { total, points } = await readTraffic(database, { hours: 168, partnerId: 7n })
  expect(points).toHaveLength(168)
  // 167, for the present hour has none; one less where it has just begun.
  const inserted = new Set(rows.map(({ at }) => at.getTime()))
  const count = points.filter(({ at }) => inserted.has(at.getTime())).length
  expect(count).toBeGreaterThan(165)
  expect(total).toMatchObject({ accepted: count, paid: count, delivered: count })
  judge(BLOCKS_TO_READ)
})
