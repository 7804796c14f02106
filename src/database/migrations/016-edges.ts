import { type Kysely, sql } from 'kysely'

/**
 * What unknown senders post at the callbacks' path, apart from Daraja's callbacks: it is kept for days, and in a table
 * by month the space of what was deleted would be lost until the month is dropped. Here new rows take the place of the
 * old ones.
 */
export const up = async (database: Kysely<unknown>): Promise<void> => {
  await sql`
    CREATE TABLE stranger_callbacks (
      id uuid PRIMARY KEY,
      received_at timestamptz NOT NULL,
      kept_at timestamptz NOT NULL DEFAULT now(),
      is_refused boolean NOT NULL,
      source_address text NOT NULL,
      headers json NOT NULL,
      body bytea NOT NULL,
      body_bytes integer NOT NULL
    ) WITH (autovacuum_vacuum_scale_factor = 0.05)
  `.execute(database)
  await sql`CREATE INDEX stranger_callbacks_kept_at ON stranger_callbacks (kept_at)`.execute(database)
}

export const down = async (database: Kysely<unknown>): Promise<void> => {
  await sql`DROP TABLE stranger_callbacks`.execute(database)
}
