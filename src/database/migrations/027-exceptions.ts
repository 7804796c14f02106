import { type Kysely, sql } from 'kysely'

/**
 * A finding gets a name, and may be acknowledged; those that nobody has acknowledged have an index of their own, so that
 * they are listed without what was. What was done to one thing is found in the audit log. Findings are few: the table is
 * written anew for the ids. The release before goes on inserting findings, which get their ids by themselves.
 */
export const up = async (database: Kysely<unknown>): Promise<void> => {
  await sql`
    ALTER TABLE payment_findings
      ADD COLUMN id bigint GENERATED ALWAYS AS IDENTITY,
      ADD COLUMN acknowledged_at timestamptz,
      ADD COLUMN acknowledged_by text,
      ADD COLUMN note text
  `.execute(database)
  await sql`CREATE INDEX payment_findings_id ON payment_findings (id)`.execute(database)
  await sql`
    CREATE INDEX payment_findings_to_acknowledge ON payment_findings (id) WHERE acknowledged_at IS NULL
  `.execute(database)
  await sql`CREATE INDEX audit_subject ON audit (subject_kind, subject_id, id)`.execute(database)
}

export const down = async (database: Kysely<unknown>): Promise<void> => {
  await sql`DROP INDEX audit_subject`.execute(database)
  await sql`
    ALTER TABLE payment_findings
      DROP COLUMN id, DROP COLUMN acknowledged_at, DROP COLUMN acknowledged_by, DROP COLUMN note
  `.execute(database)
}
