import { type Kysely, sql } from 'kysely'

/**
 * What operators were told by signals: of a dead delivery and a finding that it was told; of what lasts (an endpoint that
 * is down, Daraja that holds off, payments that are overdue) since when it is so; of each type when the last one was.
 */
export const up = async (database: Kysely<unknown>): Promise<void> => {
  await sql`ALTER TABLE dead_letters ADD COLUMN told_at timestamptz`.execute(database)
  await sql`ALTER TABLE payment_findings ADD COLUMN told_at timestamptz`.execute(database)
  await sql`
    CREATE INDEX dead_letters_untold ON dead_letters (delivery_id) WHERE told_at IS NULL AND partner_id > 0
  `.execute(database)
  await sql`CREATE INDEX payment_findings_untold ON payment_findings (payment_id) WHERE told_at IS NULL`.execute(
    database,
  )
  await sql`CREATE INDEX to_deliver_signals ON to_deliver (delivery_id) WHERE partner_id = 0`.execute(
    database,
  )
  await sql`
    CREATE TABLE signal_conditions (
      kind text NOT NULL,
      partner_id bigint NOT NULL,
      name text NOT NULL,
      since timestamptz NOT NULL DEFAULT now(),
      told_at timestamptz,
      ended_at timestamptz,
      PRIMARY KEY (kind, partner_id, name)
    )
  `.execute(database)
  await sql`CREATE TABLE signal_pace (name text PRIMARY KEY, at timestamptz NOT NULL)`.execute(database)
  await sql`INSERT INTO signal_pace (name, at) VALUES ('look', '-infinity')`.execute(database)
}

export const down = async (database: Kysely<unknown>): Promise<void> => {
  await sql`DROP TABLE signal_conditions, signal_pace`.execute(database)
  await sql`DROP INDEX to_deliver_signals`.execute(database)
  await sql`ALTER TABLE payment_findings DROP COLUMN told_at`.execute(database)
  await sql`ALTER TABLE dead_letters DROP COLUMN told_at`.execute(database)
}
