import { type Kysely, sql } from 'kysely'

/** What Daraja posted, and the duty to interpret it. */
export const up = async (database: Kysely<unknown>): Promise<void> => {
  await sql`
    CREATE TABLE callbacks (
      id uuid NOT NULL,
      received_at timestamptz NOT NULL,
      payment_id bigint,
      is_refused boolean NOT NULL,
      source_address text NOT NULL,
      headers json NOT NULL,
      body bytea NOT NULL,
      PRIMARY KEY (id, received_at)
    ) PARTITION BY RANGE (received_at)
  `.execute(database)
  await sql`CREATE INDEX callbacks_payment_id ON callbacks (payment_id)`.execute(database)
  await sql`
    CREATE TABLE to_interpret (
      callback_id uuid PRIMARY KEY,
      received_at timestamptz NOT NULL,
      due_at timestamptz NOT NULL DEFAULT now()
    ) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000)
  `.execute(database)
}

export const down = async (database: Kysely<unknown>): Promise<void> => {
  await sql`DROP TABLE to_interpret, callbacks`.execute(database)
}
