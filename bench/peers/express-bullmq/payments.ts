import { Pool, type QueryResultRow } from 'pg'

/** One table, and one row a statement: what an application's developer writes first. */
const SCHEMA = `
  CREATE TABLE IF NOT EXISTS partners (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key_hash bytea NOT NULL UNIQUE,
    signing_secret text NOT NULL
  );
  CREATE TABLE IF NOT EXISTS payments (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    partner_id bigint NOT NULL,
    idempotency_key text,
    phone text NOT NULL,
    amount integer NOT NULL,
    reference text,
    callback_url text NOT NULL,
    token text NOT NULL,
    state text NOT NULL DEFAULT 'accepted',
    merchant_request_id text,
    checkout_request_id text,
    result_code text,
    result_desc text,
    receipt text,
    delivered_at timestamptz,
    delivery_status integer,
    delivery_attempts integer NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (partner_id, idempotency_key)
  );
`

export type Partner = { id: string; signing_secret: string }

export type NewPayment = {
  partnerId: string
  idempotencyKey: string | null
  phone: string
  amount: number
  reference: string | null
  callbackUrl: string
  token: string
}

export type Outcome = {
  id: string
  token: string
  state: 'successful' | 'failed'
  resultCode: string
  resultDesc: string
  receipt: string | null
}

/** What the delivery of an outcome says, as it is in the table. */
export type SettledRow = {
  id: string
  partner_id: string
  callback_url: string
  merchant_request_id: string | null
  checkout_request_id: string | null
  result_code: string
  result_desc: string
  amount: number
  receipt: string | null
  phone: string
  state: string
  updated_at: Date
}

/** The yardstick's payments; every statement is prepared, and a transaction of its own. */
export const openPayments = (databaseUrl: string, poolSize: number) => {
  const pool = new Pool({ connectionString: databaseUrl, max: poolSize, idleTimeoutMillis: 0 })
  const rowOf: RowOf = async <Row extends QueryResultRow>(name: string, text: string, values: unknown[]) =>
    (await pool.query<Row>({ name, text, values })).rows[0]
  return {
    createTables: () => pool.query(SCHEMA),
    close: () => pool.end(),
    ...statementsOnPartners(rowOf),
    ...statementsOnPayments(rowOf),
  }
}

/** Runs a statement; resolves with the one row that it returns, if it does. */
type RowOf = <Row extends QueryResultRow>(
  name: string,
  text: string,
  values: unknown[],
) => Promise<Row | undefined>

const statementsOnPartners = (rowOf: RowOf) => ({
  addPartner: (keyHash: Buffer, signingSecret: string) =>
    rowOf('add-partner', 'INSERT INTO partners (key_hash, signing_secret) VALUES ($1, $2)', [
      keyHash,
      signingSecret,
    ]),

  findPartner: (keyHash: Buffer) =>
    rowOf<Partner>('find-partner', 'SELECT id, signing_secret FROM partners WHERE key_hash = $1', [keyHash]),

  findSecret: (partnerId: string) =>
    rowOf<Pick<Partner, 'signing_secret'>>(
      'find-secret',
      'SELECT signing_secret FROM partners WHERE id = $1',
      [partnerId],
    ),
})

const statementsOnPayments = (rowOf: RowOf) => ({
  /** The id of the new payment; undefined when the key has one already. */
  insert: (payment: NewPayment) =>
    rowOf<{ id: string }>(
      'insert',
      `INSERT INTO payments (partner_id, idempotency_key, phone, amount, reference, callback_url, token)
       VALUES ($1, $2, $3, $4, $5, $6, $7)
       ON CONFLICT (partner_id, idempotency_key) DO NOTHING RETURNING id`,
      [
        payment.partnerId,
        payment.idempotencyKey,
        payment.phone,
        payment.amount,
        payment.reference,
        payment.callbackUrl,
        payment.token,
      ],
    ),

  findByKey: (partnerId: string, idempotencyKey: string) =>
    rowOf<{ id: string }>(
      'find-by-key',
      'SELECT id FROM payments WHERE partner_id = $1 AND idempotency_key = $2',
      [partnerId, idempotencyKey],
    ),

  recordPush: (id: string, merchantRequestId: string, checkoutRequestId: string) =>
    rowOf(
      'record-push',
      `UPDATE payments SET merchant_request_id = $2, checkout_request_id = $3, updated_at = now(),
              state = CASE state WHEN 'accepted' THEN 'submitted' ELSE state END
       WHERE id = $1`,
      [id, merchantRequestId, checkoutRequestId],
    ),

  /** The payment as it is from now on; undefined when it had an outcome already, or the token is another's. */
  settle: ({ id, token, state, resultCode, resultDesc, receipt }: Outcome) =>
    rowOf<SettledRow>(
      'settle',
      `UPDATE payments SET state = $3, result_code = $4, result_desc = $5, receipt = $6, updated_at = now()
       WHERE id = $1 AND token = $2 AND state IN ('accepted', 'submitted')
       RETURNING id, partner_id, callback_url, merchant_request_id, checkout_request_id, result_code, result_desc,
                 amount, receipt, phone, state, updated_at`,
      [id, token, state, resultCode, resultDesc, receipt],
    ),

  recordDelivery: (id: string, status: number | null) =>
    rowOf(
      'record-delivery',
      `UPDATE payments SET delivery_attempts = delivery_attempts + 1, delivery_status = $2,
              delivered_at = CASE WHEN $2 BETWEEN 200 AND 299 THEN now() END
       WHERE id = $1`,
      [id, status],
    ),
})
