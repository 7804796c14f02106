import { sql, type Transaction } from 'kysely'
import { givenRows } from '../../database/given-rows.ts'
import type { Outcome } from '../../database/schema/payments.ts'
import type { RowOf, Schema } from '../../database/schema/schema.ts'
import { endpointHost } from '../../values/endpoint.ts'
import { toGuideInstant } from '../../values/instant.ts'
import { cleanText } from '../../values/outside-text.ts'
import { toWireResultCode } from '../../values/result-code.ts'

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
 * Puts one delivery for each settled payment into the outbox, inside the transaction that settles the payments, so that
 * no outcome is without its delivery and no delivery without its outcome (law 5). A payment can succeed once and fail
 * once, so payment and outcome make the `webhook-id`.
 */
export const enqueueDeliveries = async (
  transaction: Transaction<Schema>,
  settled: readonly SettledPayment[],
): Promise<void> => {
  if (settled.length === 0) return
  await sql`
    WITH added AS (
      INSERT INTO deliveries (payment_id, partner_id, webhook_id, callback_url, host, body)
      SELECT * FROM ${givenRows(settled, {
        payment_id: ['deliveries.payment_id', (payment) => payment.id],
        partner_id: ['deliveries.partner_id', (payment) => payment.partner_id],
        webhook_id: ['deliveries.webhook_id', (payment) => `msg_${payment.id}_${payment.state}`],
        callback_url: ['deliveries.callback_url', (payment) => payment.callback_url],
        host: ['deliveries.host', (payment) => endpointHost(payment.callback_url)],
        body: ['deliveries.body', renderBody],
      })}
      RETURNING id, partner_id, host
    )
    INSERT INTO to_deliver (delivery_id, partner_id, host) SELECT id, partner_id, host FROM added
  `.execute(transaction)
}
