import { type Kysely, sql } from 'kysely'

/** Several keys a partner, that expire and say when they were used; what operators set for a partner. */
export const up = async (database: Kysely<unknown>): Promise<void> => {
  await sql`
    ALTER TABLE api_keys
      ADD COLUMN name text NOT NULL DEFAULT 'first',
      ADD COLUMN expires_at timestamptz,
      ADD COLUMN last_used_at timestamptz
  `.execute(database)
  // Its last use is written every minute: room on the page keeps that from growing the indexes.
  await sql`ALTER TABLE api_keys SET (fillfactor = 50)`.execute(database)
  await sql`
    ALTER TABLE partners
      ADD COLUMN callback_hosts text[],
      ADD COLUMN requests_per_second integer CHECK (requests_per_second > 0),
      ADD COLUMN max_payment_kes integer CHECK (max_payment_kes > 0),
      ADD COLUMN max_daily_kes bigint CHECK (max_daily_kes > 0)
  `.execute(database)
}

export const down = async (database: Kysely<unknown>): Promise<void> => {
  await sql`
    ALTER TABLE partners
      DROP COLUMN callback_hosts, DROP COLUMN requests_per_second, DROP COLUMN max_payment_kes, DROP COLUMN max_daily_kes
  `.execute(database)
  await sql`ALTER TABLE api_keys RESET (fillfactor)`.execute(database)
  await sql`ALTER TABLE api_keys DROP COLUMN name, DROP COLUMN expires_at, DROP COLUMN last_used_at`.execute(
    database,
  )
}
