import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Database } from '../../src/database/connect.ts'
import { isMigrated } from '../../src/database/is-migrated.ts'
import { migrateToLatest, migrateToNothing } from '../../src/database/migrate.ts'
import { ensurePartitions } from '../../src/database/partitions.ts'
import { type OpenDatabase, openTestDatabase } from '../support/database.ts'
import { quietLog } from '../support/quiet-log.ts'

describe('migrations', () => {
  let own: OpenDatabase
  let database: Database

  beforeAll(async () => {
    own = await openTestDatabase({ poolSize: 2 })
    database = own.database
  })
  afterAll(() => own.close())

  const options = () => ({ databaseUrl: own.url, log: quietLog })

  const tablesAndTypes = async (): Promise<string[]> => {
    const { rows } = await sql<{ name: string }>`
      SELECT relname AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relname NOT LIKE 'kysely%'
      UNION ALL SELECT typname FROM pg_type WHERE typnamespace = 'public'::regnamespace AND typtype = 'e'
      ORDER BY 1
    `.execute(database)
    return rows.map(({ name }) => name)
  }

  it('lead down to nothing and up again to the same', async () => {
    const before = await tablesAndTypes()
    await migrateToNothing(options())
    expect(await tablesAndTypes()).toEqual([])
    expect(await isMigrated(database)).toBe(false)
    await migrateToLatest(options())
    expect(await tablesAndTypes()).toEqual(before)
    expect(await isMigrated(database)).toBe(true)
  })

  it('run once, from however many places at once', async () => {
    await migrateToNothing(options())
    const ran = await Promise.all([1, 2, 3].map(() => migrateToLatest(options())))
    expect(ran.filter((names) => names.length > 0)).toHaveLength(1)
  })

  it('of a later release are left as they are by `migrate` of this one, which a roll-back may run', async () => {
    await migrateToLatest(options())
    await sql`
      INSERT INTO kysely_migration (name, timestamp) VALUES ('999-later', ${new Date().toISOString()})
    `.execute(database)
    expect(await migrateToLatest(options())).toEqual([])
    expect(await isMigrated(database)).toBe(true)
    await sql`DELETE FROM kysely_migration WHERE name = '999-later'`.execute(database)
  })

  it('keep every index of payments free of what changes with the state', async () => {
    const { rows } = await sql<{ column: string }>`
      SELECT DISTINCT attname AS "column" FROM pg_index
      JOIN pg_attribute ON attrelid = indrelid AND attnum = ANY (indkey)
      WHERE indrelid = 'payments'::regclass ORDER BY 1
    `.execute(database)
    expect(rows.map(({ column }) => column)).toEqual([
      'accepted_position',
      'created_at',
      'id',
      'msisdn',
      'partner_id',
      'reference',
    ])
  })

  it('are followed by partitions made ahead, before an id or a month needs them', async () => {
    await sql`SELECT setval('payments_id_seq', 29999999)`.execute(database)
    await ensurePartitions(database)
    const { rows } = await sql<{ name: string }>`
      SELECT relname AS name FROM pg_class JOIN pg_inherits ON inhrelid = oid
      WHERE inhparent = 'payments'::regclass ORDER BY 1
    `.execute(database)
    expect(rows.map(({ name }) => name)).toEqual(['payments_0', 'payments_1', 'payments_2', 'payments_3'])
    await sql`INSERT INTO payment_history (payment_id, at, from_state, to_state, cause)
              VALUES (1, now() + interval '2 months', 'accepted', 'submitting', 'callback')`.execute(database)
  })
})
