import { sql } from 'kysely'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { startPartitioning } from '../../src/core/partitioning.ts'
import type { Database } from '../../src/database/connect.ts'
import { forgetOldMonths } from '../../src/database/forget-months.ts'
import { ensureMonths } from '../../src/database/partitions.ts'
import { createLog } from '../../src/runtime/log.ts'
import { type OpenDatabase, openTestDatabase } from '../support/database.ts'
import { eventually } from '../support/eventually.ts'

describe('months that were kept for long enough', () => {
  let own: OpenDatabase
  let database: Database

  beforeAll(async () => {
    own = await openTestDatabase()
    database = own.database
  })
  afterAll(() => own.close())
  beforeEach(() => ensureMonths(database, 'attempts', [new Date('2020-02-29T23:59:59Z'), monthsAgo(1)]))

  const partitions = async (): Promise<string[]> => {
    const { rows } = await sql<{ name: string }>`
      SELECT relname AS name FROM pg_class JOIN pg_inherits ON inhrelid = oid
      WHERE inhparent = 'attempts'::regclass ORDER BY 1
    `.execute(database)
    return rows.map(({ name }) => name)
  }

  const forget = (keepDays: number) => forgetOldMonths({ database, table: 'attempts', keepDays })

  it('are dropped whole with what is in them, and nothing else is', async () => {
    await sql`
      INSERT INTO attempts (delivery_id, number, started_at) VALUES (1, 1, '2020-02-29 23:59:59+00'), (2, 1, now())
    `.execute(database)
    const before = await partitions()
    expect(await forget(90)).toEqual(['attempts_2020_02'])
    expect(await partitions()).toEqual(before.filter((name) => name !== 'attempts_2020_02'))
    const left = await database.selectFrom('attempts').select('delivery_id').execute()
    expect(left).toEqual([{ delivery_id: 2n }])
  })

  it('count from the end of the month, so that the present one stays whatever is asked for', async () => {
    expect(await forget(daysSince2020March() + 1)).toEqual([])
    expect(await forget(daysSince2020March() - 1)).toEqual(['attempts_2020_02'])
    expect(await forget(0)).toEqual([nameOf(monthsAgo(1))])
    expect(await partitions()).toContain(nameOf(new Date()))
    expect(await forget(0)).toEqual([])
  })

  it('are named by one of many replicas, and all go on', async () => {
    // A reader keeps them waiting until more than one has found the month.
    const named = await database.transaction().execute(async (transaction) => {
      await sql`SELECT count(*) FROM attempts`.execute(transaction)
      const all = [1, 2, 3].map(() => forget(90))
      await eventually(async () => {
        const { rows } = await sql<{ waiting: number }>`
          SELECT count(*)::int AS waiting FROM pg_locks
          WHERE NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
        `.execute(transaction)
        expect(rows[0]?.waiting).toBeGreaterThanOrEqual(2)
      })
      return all
    })
    expect((await Promise.all(named)).flat()).toEqual(['attempts_2020_02'])
  })

  it('wait for the next time while somebody reads them, and nobody waits behind', async () => {
    await database.transaction().execute(async (transaction) => {
      await sql`SELECT count(*) FROM attempts`.execute(transaction)
      expect(await forget(90)).toEqual([])
    })
    expect(await forget(90)).toEqual(['attempts_2020_02'])
  })

  it('of callbacks stay while one of them is still to be interpreted', async () => {
    const receivedAt = new Date('2020-02-03T04:05:06Z')
    const id = '01700000-0000-7000-8000-000000000001'
    await ensureMonths(database, 'callbacks', [receivedAt])
    await sql`
      INSERT INTO callbacks (id, received_at, is_refused, source_address, headers, body)
      VALUES (${id}, ${receivedAt}, false, '127.0.0.1', '[]', 'late')
    `.execute(database)
    await sql`INSERT INTO to_interpret (callback_id, received_at) VALUES (${id}, ${receivedAt})`.execute(
      database,
    )
    const forgetCallbacks = () => forgetOldMonths({ database, table: 'callbacks', keepDays: 400 })
    expect(await forgetCallbacks()).toEqual([])
    await sql`DELETE FROM to_interpret`.execute(database)
    expect(await forgetCallbacks()).toEqual(['callbacks_2020_02'])
    expect(await database.selectFrom('callbacks').select('id').execute()).toEqual([])
  })

  it('are reported in the log of the process that forgot them', async () => {
    const lines: Record<string, unknown>[] = []
    const to = { write: (line: string) => lines.push(JSON.parse(line)) }
    const log = createLog({ name: 'test', level: 'info', to })
    const loop = startPartitioning({ database, keepDays: { attempts: 90, callbacks: 400 }, log })
    await eventually(() =>
      expect(lines).toMatchObject([
        { event: 'partition_dropped', partition: 'attempts_2020_02', keep_days: 90 },
      ]),
    )
    await loop.stop()
  })
})

const DAY_MS = 86_400_000

const daysSince2020March = (): number =>
  Math.floor((Date.now() - Date.parse('2020-03-01T00:00:00Z')) / DAY_MS)

const monthsAgo = (months: number): Date => {
  const now = new Date()
  return new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - months, 1))
}

const nameOf = (month: Date): string => `attempts_${month.toISOString().slice(0, 7).replace('-', '_')}`
