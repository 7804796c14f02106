import { sql } from 'kysely'
import type { Database } from '../../src/database/connect.ts'
import { ensurePartitionsOf } from '../../src/database/partitions.ts'

/** Payments that one statement makes. */
const CHUNK = 100_000

/** After how many ids the next partitions are made: those of the ids in use and the next are. */
const IDS_OF_A_PARTITION = 10_000_000

/**
 * Makes so many payments that ended a while ago, successful ones, each with all that a life of a payment leaves: the
 * idempotency key, which is its id, the moves, the callback, the receipt, the delivery and its attempt. No duty is left.
 * They are of `partners` partners, from 1 on, each of a payer of its own; every tenth has the same reference. As many
 * are made in a minute, and the last one now, however many there are. `atOnce` connections make them, else one.
 */
export const loadHistory = async (
  database: Database,
  options: { payments: number; partners: number; atOnce?: number },
): Promise<void> => {
  const { payments, partners, atOnce = 1 } = options
  const { rows } = await sql<{ payments_id_seq: bigint; deliveries_id_seq: bigint; now: Date }>`
    SELECT p.last_value AS payments_id_seq, d.last_value AS deliveries_id_seq, now() AS now
    FROM payments_id_seq p, deliveries_id_seq d
  `.execute(database)
  const [last] = rows
  if (last === undefined) throw new Error('there are no sequences')
  const lastId = last.payments_id_seq + BigInt(payments)
  for (let made = 0; made < payments; made += IDS_OF_A_PARTITION) {
    const until = BigInt(Math.min(payments, made + IDS_OF_A_PARTITION))
    await ensurePartitionsOf(database, {
      payments_id_seq: last.payments_id_seq + until,
      deliveries_id_seq: last.deliveries_id_seq + until,
    })
  }
  let begun = 0
  const makeChunks = async (): Promise<void> => {
    while (begun < payments) {
      const count = Math.min(CHUNK, payments - begun)
      begun += count
      await insertLives(database, { count, partners, lastId, now: last.now })
    }
  }
  await Promise.all(Array.from({ length: atOnce }, makeChunks))
}

/** Whatever is older is within the month of the partitions that are there. */
const FIRST = sql`date_trunc('month', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC'`

/** How far payments are apart. */
const APART = sql`interval '170 milliseconds'`

const insertLives = (
  database: Database,
  options: { count: number; partners: number; lastId: bigint; now: Date },
) =>
  sql`
    WITH given AS MATERIALIZED (
      SELECT nextval('payments_id_seq') AS id, nextval('deliveries_id_seq') AS delivery_id,
             1 + nth % ${options.partners}::integer AS partner_id, nth
      FROM generate_series(1, ${options.count}::integer) AS nth
    ), named AS MATERIALIZED (
      SELECT *, '2547' || lpad((id * 7919 % 100000000)::text, 8, '0') AS msisdn,
             CASE WHEN nth % 10 = 0 THEN 'INV-2025-001' ELSE 'ORDER-' || id END AS reference,
             greatest(${FIRST}, ${options.now}::timestamptz - (${options.lastId}::bigint - id) * ${APART}) AS at,
             'UE' || lpad(upper(to_hex(id)), 8, '0') AS receipt,
             'ws_CO_04052026210410' || lpad(id::text, 12, '0') AS checkout_request_id,
             '2654-4b64-97ff-' || md5(id::text) AS merchant_request_id
      FROM given
    ), keys AS (
      INSERT INTO idempotency_keys (partner_id, key_hash, payment_id, fingerprint)
      SELECT partner_id, sha256(id::text::bytea), id, sha256(msisdn::bytea) FROM named
    ), paid AS (
      INSERT INTO payments (id, partner_id, amount_kes, state, created_at, submit_by, transaction_date, msisdn, callback_url,
                            reference, merchant_request_id, checkout_request_id, result_code, result_desc, receipt, callback_nonce)
      SELECT id, partner_id, 150, 'successful', at, at, at, msisdn, 'https://yourapp.example.com/payment_callback',
             reference, merchant_request_id, checkout_request_id, '0',
             'The service request is processed successfully.', receipt, left(md5(id::text), 16)
      FROM named
    ), moved AS (
      INSERT INTO payment_history (payment_id, from_state, to_state, cause, at)
      SELECT id, from_state::payment_state, to_state::payment_state, cause, at + number * interval '1 second'
      FROM named CROSS JOIN (
        VALUES ('accepted', 'submitting', 'taken_for_submission', 1), ('submitting', 'submitted', 'push_accepted', 2),
               ('submitted', 'successful', 'callback', 3)
      ) moves (from_state, to_state, cause, number)
    ), proved AS (
      INSERT INTO receipts (payment_id, receipt) SELECT id, receipt FROM named
    ), called AS (
      INSERT INTO callbacks (id, received_at, payment_id, nonce, is_refused, source_address, headers, body)
      SELECT gen_random_uuid(), at + interval '3 seconds', id, left(md5(id::text), 16), false, '196.201.214.200',
             '{"content-type":"application/json"}',
             convert_to('{"Body":{"stkCallback":{"MerchantRequestID":"' || merchant_request_id || '","CheckoutRequestID":"'
               || checkout_request_id || '","ResultCode":0,"ResultDesc":"The service request is processed successfully.",'
               || '"CallbackMetadata":{"Item":[{"Name":"Amount","Value":150.00},{"Name":"MpesaReceiptNumber","Value":"'
               || receipt || '"},{"Name":"PhoneNumber","Value":' || msisdn || '}]}}}}', 'UTF8')
      FROM named
    ), made AS (
      INSERT INTO deliveries (id, payment_id, partner_id, state, attempts, next_attempt_at, created_at, ended_at, webhook_id,
                              callback_url, host, body)
      SELECT delivery_id, id, partner_id, 'delivered', 1, NULL, at + interval '3 seconds', at + interval '4 seconds',
             'msg_' || id || '_successful', 'https://yourapp.example.com/payment_callback', 'yourapp.example.com',
             '{"transaction_id":' || id || ',"merchant_request_id":"' || merchant_request_id || '","checkout_request_id":"'
               || checkout_request_id || '","result_code":0,"result_desc":"The service request is processed successfully.",'
               || '"amount":150,"mpesa_receipt":"' || receipt || '","phone":"' || msisdn || '","status":"successful"}'
      FROM named
    )
    INSERT INTO attempts (delivery_id, number, started_at, finished_at, duration_ms, status, address)
    SELECT delivery_id, 1, at + interval '4 seconds', at + interval '4 seconds', 40, 200, '203.0.113.7' FROM named
  `.execute(database)
