import { sql } from 'kysely'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { areIndexesBuilt, buildIndexes } from '../../src/database/build-indexes.ts'
import type { Database } from '../../src/database/connect.ts'
import { isMigrated } from '../../src/database/is-migrated.ts'
import { migrateBack, migrateToLatest } from '../../src/database/migrate.ts'
import { ensurePartitions } from '../../src/database/partitions.ts'
import { type OpenDatabase, openTestDatabase } from '../support/database.ts'
import { eventually } from '../support/eventually.ts'
import { loadHistory } from '../support/history.ts'
import { quietLog } from '../support/quiet-log.ts'

const INDEX = 'payments_reference_partner_id_id'

describe('an index that a migration declares', () => {
  let own: OpenDatabase
  let database: Database

  beforeEach(async () => {
    own = await openTestDatabase()
    database = own.database
  })
  afterEach(() => own.close())

  /** Declares the index anew, and nothing is built of it: as it is when `migrate` is killed after its commit. */
  const declareAnew = async (): Promise<void> => {
    await sql`DROP INDEX ${sql.ref(INDEX)}`.execute(database)
    await sql`
      CREATE INDEX ${sql.ref(INDEX)} ON ONLY payments (reference COLLATE "C", partner_id, (-id))
      WHERE reference IS NOT NULL
    `.execute(database)
  }

  const partsOf = async (): Promise<{ partition: string; is_valid: boolean }[]> => {
    const { rows } = await sql<{ partition: string; is_valid: boolean }>`
      SELECT indrelid::regclass::text AS partition, indisvalid AS is_valid
      FROM pg_inherits JOIN pg_index ON indexrelid = inhrelid
      WHERE inhparent = ${INDEX}::regclass ORDER BY 1
    `.execute(database)
    return rows
  }

  const BUILT = [
    { partition: 'payments_0', is_valid: true },
    { partition: 'payments_1', is_valid: true },
  ]

  it('is built by `migrate` for the payments that are there, and for those of partitions that come later', async () => {
    await migrateBack({ databaseUrl: own.url, log: quietLog, to: '017-reconnect' })
    await loadHistory(database, { payments: 200, partners: 3 })
    await migrateToLatest({ databaseUrl: own.url, log: quietLog })
    expect(await partsOf()).toEqual(BUILT)
    await sql`SELECT setval('payments_id_seq', 19999999)`.execute(database)
    await ensurePartitions(database)
    expect(await partsOf()).toEqual([...BUILT, { partition: 'payments_2', is_valid: true }])
    expect(await isMigrated(database)).toBe(true)
  })

  it('is missed by `serve` until it is built, and what was left half built is built anew', async () => {
    await declareAnew()
    expect(await areIndexesBuilt(database)).toBe(false)
    expect(await isMigrated(database)).toBe(false)
    await sql`
      CREATE INDEX payments_0_reference_partner_id_id_idx ON payments_0 (reference COLLATE "C", partner_id, (-id))
      WHERE reference IS NOT NULL
    `.execute(database)
    await sql`
      UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'payments_0_reference_partner_id_id_idx'::regclass
    `.execute(database)
    expect(await migrateToLatest({ databaseUrl: own.url, log: quietLog })).toEqual([])
    expect(await partsOf()).toEqual(BUILT)
    expect(await isMigrated(database)).toBe(true)
  })

  it('gets a partition that is made before it is built', async () => {
    await declareAnew()
    await sql`SELECT setval('payments_id_seq', 19999999)`.execute(database)
    await ensurePartitions(database)
    await buildIndexes(database, quietLog)
    expect(await partsOf()).toEqual([...BUILT, { partition: 'payments_2', is_valid: true }])
  })

  it('is built by one of many, and stops nobody who writes meanwhile', async () => {
    await loadHistory(database, { payments: 10, partners: 1 })
    await declareAnew()
    const write = (on: Database) => sql`UPDATE payments SET result_desc = 'seen' WHERE id = 1`.execute(on)
    const isBuilding = async () => {
      const { rows } = await sql`
        SELECT FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%CREATE INDEX%'
          AND pid <> pg_backend_pid() AND wait_event_type = 'Lock'
      `.execute(database)
      expect(rows).not.toEqual([])
    }
    let built: Promise<unknown> = Promise.resolve()
    await database.transaction().execute(async (open) => {
      await write(open)
      built = Promise.all([1, 2].map(() => migrateToLatest({ databaseUrl: own.url, log: quietLog })))
      await eventually(isBuilding)
      await sql`UPDATE payments SET result_desc = 'seen' WHERE id = 2`.execute(database)
    })
    await built
    expect(await partsOf()).toEqual(BUILT)
  })
})
