import { type Kysely, sql } from 'kysely'

/**
 * Endpoints (a partner and a callback host) and their failures, deliveries that are held for them, and dead letters.
 */
export const up = async (database: Kysely<unknown>): Promise<void> => {
  await sql`ALTER TYPE delivery_state ADD VALUE IF NOT EXISTS 'cancelled'`.execute(database)
  await extendDeliveries(database)
  await extendDuties(database)
  await sql`CREATE TYPE endpoint_state AS ENUM ('closed', 'open', 'half_open', 'ramping')`.execute(database)
  await sql`
    CREATE TABLE endpoints (
      partner_id bigint NOT NULL,
      host text NOT NULL,
      state endpoint_state NOT NULL DEFAULT 'closed',
      failures integer NOT NULL DEFAULT 0,
      opens integer NOT NULL DEFAULT 0,
      open_until timestamptz,
      probe_delivery_id bigint,
      probing_until timestamptz,
      release_per_second real,
      release_since timestamptz,
      release_at timestamptz,
      paused_at timestamptz,
      paused_by text,
      changed_at timestamptz NOT NULL DEFAULT now(),
      PRIMARY KEY (partner_id, host)
    ) WITH (fillfactor = 50)
  `.execute(database)
  await sql`
    CREATE TABLE dead_letters (
      delivery_id bigint PRIMARY KEY,
      partner_id bigint NOT NULL,
      host text NOT NULL,
      error_class text,
      reason text NOT NULL,
      at timestamptz NOT NULL DEFAULT now()
    )
  `.execute(database)
  await sql`
    INSERT INTO dead_letters (delivery_id, partner_id, host, reason, at)
    SELECT id, partner_id, host, coalesce(dead_reason, 'not known'), coalesce(ended_at, now())
    FROM deliveries WHERE state = 'dead'
  `.execute(database)
  await sql`CREATE INDEX dead_letters_partner_id ON dead_letters (partner_id, delivery_id)`.execute(database)
  await sql`CREATE INDEX dead_letters_at ON dead_letters (at)`.execute(database)
}

/**
 * The host of an http or https URL, as `endpointHost` makes it: in lower case, with its port unless it is the usual
 * one.
 */
const HOST = sql`
  regexp_replace(
    lower(substring(callback_url FROM '^[^:]+://([^/?#]*)')),
    CASE WHEN callback_url ~* '^https:' THEN ':(0*443)?$' ELSE ':(0*80)?$' END,
    ''
  )
`

const extendDeliveries = async (database: Kysely<unknown>): Promise<void> => {
  await sql`
    ALTER TABLE deliveries
      ADD COLUMN host text NOT NULL DEFAULT '',
      ADD COLUMN schedule_from integer NOT NULL DEFAULT 0
  `.execute(database)
  await sql`UPDATE deliveries SET host = coalesce(${HOST}, '')`.execute(database)
  await sql`ALTER TABLE deliveries ALTER COLUMN host DROP DEFAULT`.execute(database)
}

/** What is held is in an index of its own: those that look for what is due do not even come past it. */
const extendDuties = async (database: Kysely<unknown>): Promise<void> => {
  await sql`
    ALTER TABLE to_deliver
      ADD COLUMN partner_id bigint NOT NULL DEFAULT 0,
      ADD COLUMN host text NOT NULL DEFAULT '',
      ADD COLUMN held_at timestamptz
  `.execute(database)
  await sql`
    UPDATE to_deliver SET partner_id = deliveries.partner_id, host = deliveries.host
    FROM deliveries WHERE deliveries.id = to_deliver.delivery_id
  `.execute(database)
  await sql`
    ALTER TABLE to_deliver ALTER COLUMN partner_id DROP DEFAULT, ALTER COLUMN host DROP DEFAULT
  `.execute(database)
  await sql`DROP INDEX to_deliver_due_at, to_deliver_publish_at`.execute(database)
  await sql`CREATE INDEX to_deliver_due_at ON to_deliver (due_at) WHERE held_at IS NULL`.execute(database)
  await sql`CREATE INDEX to_deliver_publish_at ON to_deliver (publish_at) WHERE held_at IS NULL`.execute(
    database,
  )
  await sql`
    CREATE INDEX to_deliver_held ON to_deliver (partner_id, host, due_at) WHERE held_at IS NOT NULL
  `.execute(database)
  await sql`CREATE INDEX to_deliver_partner_id ON to_deliver (partner_id, delivery_id)`.execute(database)
}

/** The state `cancelled` stays in its type: Postgres takes no value out of an enum. */
export const down = async (database: Kysely<unknown>): Promise<void> => {
  await sql`DROP TABLE dead_letters, endpoints`.execute(database)
  await sql`DROP TYPE endpoint_state`.execute(database)
  await sql`DROP INDEX to_deliver_partner_id, to_deliver_held, to_deliver_due_at, to_deliver_publish_at`.execute(
    database,
  )
  await sql`ALTER TABLE to_deliver DROP COLUMN partner_id, DROP COLUMN host, DROP COLUMN held_at`.execute(
    database,
  )
  await sql`CREATE INDEX to_deliver_due_at ON to_deliver (due_at)`.execute(database)
  await sql`CREATE INDEX to_deliver_publish_at ON to_deliver (publish_at)`.execute(database)
  await sql`ALTER TABLE deliveries DROP COLUMN host, DROP COLUMN schedule_from`.execute(database)
}
