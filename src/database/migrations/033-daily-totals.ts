import { type Kysely, sql } from 'kysely'

/**
 * What was paid, summed by day, partner and account, so that totals need not read payments. One loop keeps it from what is
 * committed (`src/core/totals/sum-totals.ts`); `totals_summed` says how far that came, and has no row before it began.
 * `redated_payments` are paid ones whose day became another after they were settled, until that is in the sums.
 */
export const up = async (database: Kysely<unknown>): Promise<void> => {
  await sql`
    CREATE TABLE daily_totals (
      day date NOT NULL,
      partner_id bigint NOT NULL,
      account_id bigint NOT NULL,
      payments bigint NOT NULL,
      amount_kes bigint NOT NULL,
      PRIMARY KEY (day, partner_id, account_id)
    ) WITH (fillfactor = 70)
  `.execute(database)
  await sql`
    CREATE TABLE totals_summed (
      only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
      begun_position bigint NOT NULL,
      events_to bigint NOT NULL,
      filled_to bigint NOT NULL,
      fill_end bigint NOT NULL,
      mark_position bigint NOT NULL,
      mark_at timestamptz NOT NULL,
      summed_to timestamptz
    )
  `.execute(database)
  await sql`
    CREATE TABLE redated_payments (
      payment_id bigint PRIMARY KEY,
      paid_at timestamptz NOT NULL
    )
  `.execute(database)
}

export const down = async (database: Kysely<unknown>): Promise<void> => {
  await sql`DROP TABLE redated_payments, totals_summed, daily_totals`.execute(database)
}
