import { type Kysely, sql } from 'kysely'

/** Deliveries to partners, the attempts of each, and the duty to deliver. */
export const up = async (database: Kysely<unknown>): Promise<void> => {
  await sql`CREATE TYPE delivery_state AS ENUM ('pending', 'delivered', 'dead')`.execute(database)
  await sql`CREATE SEQUENCE deliveries_id_seq AS bigint`.execute(database)
  await sql`
    CREATE TABLE deliveries (
      id bigint PRIMARY KEY DEFAULT nextval('deliveries_id_seq'),
      payment_id bigint NOT NULL,
      partner_id bigint NOT NULL,
      state delivery_state NOT NULL DEFAULT 'pending',
      attempts integer NOT NULL DEFAULT 0,
      next_attempt_at timestamptz DEFAULT now(),
      created_at timestamptz NOT NULL DEFAULT now(),
      ended_at timestamptz,
      webhook_id text NOT NULL,
      callback_url text NOT NULL,
      body text NOT NULL,
      dead_reason text
    ) PARTITION BY RANGE (id)
  `.execute(database)
  await sql`ALTER SEQUENCE deliveries_id_seq OWNED BY deliveries.id`.execute(database)
  await sql`CREATE INDEX deliveries_payment_id ON deliveries (payment_id)`.execute(database)
  await sql`
    CREATE TABLE to_deliver (
      delivery_id bigint PRIMARY KEY,
      due_at timestamptz NOT NULL DEFAULT now(),
      leased_until timestamptz NOT NULL DEFAULT '-infinity',
      publish_at timestamptz NOT NULL DEFAULT now(),
      publish_number integer NOT NULL DEFAULT 0
    ) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000)
  `.execute(database)
  await sql`CREATE INDEX to_deliver_due_at ON to_deliver (due_at)`.execute(database)
  await sql`CREATE INDEX to_deliver_publish_at ON to_deliver (publish_at)`.execute(database)
  await sql`
    CREATE TABLE attempts (
      delivery_id bigint NOT NULL,
      started_at timestamptz NOT NULL DEFAULT now(),
      finished_at timestamptz,
      number integer NOT NULL,
      duration_ms integer,
      status integer,
      address text,
      error_class text,
      answer text,
      PRIMARY KEY (delivery_id, number, started_at)
    ) PARTITION BY RANGE (started_at)
  `.execute(database)
}

export const down = async (database: Kysely<unknown>): Promise<void> => {
  await sql`DROP TABLE attempts, to_deliver, deliveries`.execute(database)
  await sql`DROP TYPE delivery_state`.execute(database)
}
