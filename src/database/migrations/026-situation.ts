import { type Kysely, sql } from 'kysely'

/**
 * What operators see at a glance: why Daraja holds an account off, and how much went its way, counted by the minute, the
 * quarter and the hour. `traffic_counts` is written by one loop from what is committed (`src/core/traffic/count-traffic.ts`), and
 * `traffic_counted` says how far that came: where no row is there yet, nothing was counted. Which attempts arrived in a
 * minute is found by BRIN: they are appended in the order of their start, which never changes.
 */
export const up = async (database: Kysely<unknown>): Promise<void> => {
  await sql`ALTER TABLE daraja_accounts ADD COLUMN held_code text`.execute(database)
  await sql`
    CREATE TABLE traffic_counts (
      partner_id bigint NOT NULL,
      span text NOT NULL CHECK (span IN ('minute', 'quarter', 'hour')),
      at timestamptz NOT NULL,
      measure text NOT NULL,
      label text NOT NULL DEFAULT '',
      count bigint NOT NULL,
      PRIMARY KEY (partner_id, span, at, measure, label)
    ) WITH (fillfactor = 70)
  `.execute(database)
  await sql`
    CREATE TABLE traffic_counted (
      only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
      begun_at timestamptz NOT NULL DEFAULT now(),
      events_to bigint NOT NULL,
      events_at timestamptz NOT NULL,
      attempts_to timestamptz NOT NULL
    )
  `.execute(database)
  await sql`
    CREATE INDEX attempts_started_at ON ONLY attempts USING brin (started_at)
    WITH (pages_per_range = 32, autosummarize = on)
  `.execute(database)
}

export const down = async (database: Kysely<unknown>): Promise<void> => {
  await sql`DROP INDEX attempts_started_at`.execute(database)
  await sql`DROP TABLE traffic_counted, traffic_counts`.execute(database)
  await sql`ALTER TABLE daraja_accounts DROP COLUMN held_code`.execute(database)
}
