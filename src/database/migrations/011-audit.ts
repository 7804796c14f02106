import { type Kysely, sql } from 'kysely'

/** Who did what by hand: append only. The role that the application runs under may add and read rows, nothing else. */
export const up = async (database: Kysely<unknown>): Promise<void> => {
  await sql`
    CREATE TABLE audit (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      at timestamptz NOT NULL DEFAULT now(),
      actor_kind text NOT NULL CHECK (actor_kind IN ('operator', 'service')),
      actor_id bigint,
      actor_name text NOT NULL,
      operator text,
      source text NOT NULL,
      action text NOT NULL,
      subject_kind text NOT NULL,
      subject_id text NOT NULL,
      partner_id bigint,
      before jsonb,
      after jsonb
    )
  `.execute(database)
  await sql`CREATE INDEX audit_partner_id ON audit (partner_id, id) WHERE partner_id IS NOT NULL`.execute(
    database,
  )
}

export const down = async (database: Kysely<unknown>): Promise<void> => {
  await sql`DROP TABLE audit`.execute(database)
}
