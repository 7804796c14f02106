import { type Kysely, sql } from 'kysely'

/** What keeps money safe: budgets for Daraja, payments to be confirmed, findings, and who settled by hand. */
export const up = async (database: Kysely<unknown>): Promise<void> => {
  await extendSubmitDuties(database)
  await sql`ALTER TABLE payment_history ADD COLUMN operator text`.execute(database)
  await sql`
    CREATE TABLE to_confirm (
      payment_id bigint PRIMARY KEY,
      since timestamptz NOT NULL DEFAULT now(),
      due_at timestamptz NOT NULL DEFAULT now(),
      pulls integer NOT NULL DEFAULT 0
    ) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000)
  `.execute(database)
  await sql`
    INSERT INTO to_confirm (payment_id) SELECT id FROM payments WHERE state = 'unconfirmed'
  `.execute(database)
  await sql`CREATE INDEX to_confirm_due_at ON to_confirm (due_at)`.execute(database)
  await sql`
    CREATE TABLE payment_findings (
      payment_id bigint NOT NULL,
      kind text NOT NULL,
      detail text NOT NULL,
      at timestamptz NOT NULL DEFAULT now(),
      PRIMARY KEY (payment_id, kind, detail)
    )
  `.execute(database)
  await sql`CREATE INDEX payment_findings_at ON payment_findings (at)`.execute(database)
  await createBudgets(database)
}

const extendSubmitDuties = async (database: Kysely<unknown>): Promise<void> => {
  await sql`
    ALTER TABLE to_submit
      ADD COLUMN submit_by timestamptz NOT NULL DEFAULT 'infinity',
      ADD COLUMN takes integer NOT NULL DEFAULT 0
  `.execute(database)
  await sql`
    UPDATE to_submit SET submit_by = payments.submit_by FROM payments WHERE payments.id = to_submit.payment_id
  `.execute(database)
}

const createBudgets = async (database: Kysely<unknown>): Promise<void> => {
  await sql`
    CREATE TABLE daraja_accounts (
      shortcode text PRIMARY KEY,
      held_until timestamptz NOT NULL DEFAULT '-infinity',
      holds integer NOT NULL DEFAULT 0,
      pull_registered_at timestamptz
    ) WITH (fillfactor = 50)
  `.execute(database)
  await sql`
    CREATE TABLE daraja_budgets (
      shortcode text NOT NULL,
      call text NOT NULL,
      next_at timestamptz NOT NULL DEFAULT '-infinity',
      PRIMARY KEY (shortcode, call)
    ) WITH (fillfactor = 50)
  `.execute(database)
}

export const down = async (database: Kysely<unknown>): Promise<void> => {
  await sql`DROP TABLE daraja_budgets, daraja_accounts, payment_findings, to_confirm`.execute(database)
  await sql`ALTER TABLE payment_history DROP COLUMN operator`.execute(database)
  await sql`ALTER TABLE to_submit DROP COLUMN submit_by, DROP COLUMN takes`.execute(database)
}
