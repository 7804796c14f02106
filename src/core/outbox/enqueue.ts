import { sql } from 'kysely'
import type { Outcome } from '../../database/schema/payments.ts'
import type { RowOf } from '../../database/schema/schema.ts'
import { toGuideInstant } from '../../values/instant.ts'
import { cleanText } from '../../values/outside-text.ts'
import { toWireResultCode } from '../../values/result-code.ts'
import { SWEEP_SECONDS } from './publish.ts'

/** A payment that has its outcome, as its row is from now on: what a delivery says. */
export type SettledPayment = RowOf<
  'payments',
  | 'id'
  | 'partner_id'
  | 'callback_url'
  | 'msisdn'
  | 'amount_kes'
  | 'merchant_request_id'
  | 'checkout_request_id'
  | 'receipt'
> & { state: Outcome; result_code: string; result_desc: string; transaction_date: Date }

/**
 * The body that every attempt sends: the guide's ten fields, in its order, nothing more. Half a character, which JSON
 * could carry, is in none of its texts: a partner whose parser refuses it could never take the delivery.
 */
export const renderBody = (payment: SettledPayment): string =>
  JSON.stringify({
    transaction_id: Number(payment.id),
    merchant_request_id: cleanOrNull(payment.merchant_request_id),
    checkout_request_id: cleanOrNull(payment.checkout_request_id),
    result_code: toWireResultCode(cleanText(payment.result_code)),
    result_desc: cleanText(payment.result_desc),
    amount: payment.amount_kes,
    mpesa_receipt: cleanOrNull(payment.receipt),
    transaction_date: toGuideInstant(payment.transaction_date),
    phone: payment.msisdn,
    status: payment.state,
  })

const cleanOrNull = (text: string | null): string | null => (text === null ? null : cleanText(text))

/**
 * The part of the statement that settles payments which puts one delivery for each into the outbox: no outcome is
 * without its delivery and no delivery without its outcome (law 5). Reads `moved`, with the columns of a delivery and
 * the payment's state. A payment can succeed once and fail once, so payment and outcome make the `webhook-id`.
 * `isPublished`: as published under its first number by this process, which does it after the commit; else the outbox's
 * loop takes it.
 */
export const enqueue = ({ isPublished }: { isPublished: boolean }) => sql`
  added AS (
    INSERT INTO deliveries (payment_id, partner_id, webhook_id, callback_url, host, body)
    SELECT id, partner_id, concat('msg_', id, '_', state), callback_url, host, body FROM moved WHERE body IS NOT NULL
    RETURNING id, payment_id, partner_id, host
  ), enqueued AS (
    INSERT INTO to_deliver (delivery_id, partner_id, host, publish_number, publish_at)
    SELECT id, partner_id, host, ${isPublished ? 1 : 0}::integer,
           now() + make_interval(secs => ${isPublished ? SWEEP_SECONDS : 0})
    FROM added
  )
`
