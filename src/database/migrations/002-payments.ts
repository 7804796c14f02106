import { type Kysely, sql } from 'kysely'

const IDEMPOTENCY_KEY_PARTITIONS = 16

/** Payments, their idempotency keys and history, and the duties to submit and to query. */
export const up = async (database: Kysely<unknown>): Promise<void> => {
  await sql`
    CREATE TYPE payment_state AS ENUM ('accepted', 'submitting', 'submitted', 'unconfirmed', 'successful', 'failed')
  `.execute(database)
  await createPayments(database)
  await createIdempotencyKeys(database)
  await sql`
    CREATE TABLE payment_history (
      payment_id bigint NOT NULL,
      at timestamptz NOT NULL DEFAULT now(),
      from_state payment_state NOT NULL,
      to_state payment_state NOT NULL,
      cause text NOT NULL,
      detail text
    ) PARTITION BY RANGE (at)
  `.execute(database)
  await sql`CREATE INDEX payment_history_payment_id ON payment_history (payment_id)`.execute(database)
  await createDuties(database)
}

const createPayments = async (database: Kysely<unknown>): Promise<void> => {
  await sql`CREATE SEQUENCE payments_id_seq AS bigint`.execute(database)
  await sql`
    CREATE TABLE payments (
      id bigint PRIMARY KEY DEFAULT nextval('payments_id_seq'),
      partner_id bigint NOT NULL,
      amount_kes integer NOT NULL CHECK (amount_kes BETWEEN 1 AND 250000),
      state payment_state NOT NULL,
      created_at timestamptz NOT NULL DEFAULT now(),
      submit_by timestamptz NOT NULL,
      transaction_date timestamptz,
      msisdn text NOT NULL,
      callback_url text NOT NULL,
      reference text,
      merchant_request_id text,
      checkout_request_id text,
      result_code text,
      result_desc text,
      receipt text
    ) PARTITION BY RANGE (id)
  `.execute(database)
  await sql`ALTER SEQUENCE payments_id_seq OWNED BY payments.id`.execute(database)
  await sql`CREATE INDEX payments_partner_id_id ON payments (partner_id, id)`.execute(database)
  await sql`CREATE INDEX payments_created_at ON payments USING brin (created_at)`.execute(database)
}

const createIdempotencyKeys = async (database: Kysely<unknown>): Promise<void> => {
  await sql`
    CREATE TABLE idempotency_keys (
      partner_id bigint NOT NULL,
      payment_id bigint NOT NULL,
      key_hash bytea NOT NULL,
      fingerprint bytea NOT NULL,
      PRIMARY KEY (partner_id, key_hash)
    ) PARTITION BY HASH (partner_id, key_hash)
  `.execute(database)
  for (let remainder = 0; remainder < IDEMPOTENCY_KEY_PARTITIONS; remainder += 1) {
    await sql`
      CREATE TABLE ${sql.table(`idempotency_keys_${remainder}`)} PARTITION OF idempotency_keys
      FOR VALUES WITH (MODULUS ${sql.lit(IDEMPOTENCY_KEY_PARTITIONS)}, REMAINDER ${sql.lit(remainder)})
    `.execute(database)
  }
}

/** Rows come and go all day: vacuum often, so that the tables stay as small as what is open. */
const DUTY_STORAGE = sql.raw(
  'WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000)',
)

const createDuties = async (database: Kysely<unknown>): Promise<void> => {
  await sql`
    CREATE TABLE to_submit (
      payment_id bigint PRIMARY KEY,
      due_at timestamptz NOT NULL DEFAULT now(),
      leased_until timestamptz NOT NULL DEFAULT '-infinity'
    ) ${DUTY_STORAGE}
  `.execute(database)
  await sql`CREATE INDEX to_submit_due_at ON to_submit (due_at)`.execute(database)
  await sql`
    CREATE TABLE to_query (
      payment_id bigint PRIMARY KEY,
      due_at timestamptz NOT NULL,
      leased_until timestamptz NOT NULL DEFAULT '-infinity',
      queries integer NOT NULL DEFAULT 0
    ) ${DUTY_STORAGE}
  `.execute(database)
  await sql`CREATE INDEX to_query_due_at ON to_query (due_at)`.execute(database)
}

export const down = async (database: Kysely<unknown>): Promise<void> => {
  await sql`DROP TABLE to_query, to_submit, payment_history, idempotency_keys, payments`.execute(database)
  await sql`DROP TYPE payment_state`.execute(database)
}
