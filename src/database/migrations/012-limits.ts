import { type Kysely, sql } from 'kysely'

/** What limits are counted in, by all replicas together. Rows are small, rewritten in place and forgotten soon. */
export const up = async (database: Kysely<unknown>): Promise<void> => {
  await sql`
    CREATE TABLE partner_buckets (
      partner_id bigint PRIMARY KEY,
      next_at timestamptz NOT NULL DEFAULT '-infinity',
      granted integer NOT NULL DEFAULT 0
    ) WITH (fillfactor = 50)
  `.execute(database)
  await sql`
    CREATE TABLE partner_days (
      partner_id bigint NOT NULL,
      day date NOT NULL,
      asked_kes bigint NOT NULL DEFAULT 0,
      PRIMARY KEY (partner_id, day)
    ) WITH (fillfactor = 50)
  `.execute(database)
  await sql`
    CREATE TABLE payer_prompts (
      partner_id bigint NOT NULL,
      msisdn text NOT NULL,
      touched_at timestamptz NOT NULL DEFAULT now(),
      recent jsonb NOT NULL DEFAULT '[]',
      PRIMARY KEY (partner_id, msisdn)
    ) WITH (fillfactor = 50)
  `.execute(database)
}

export const down = async (database: Kysely<unknown>): Promise<void> => {
  await sql`DROP TABLE payer_prompts, partner_days, partner_buckets`.execute(database)
}
