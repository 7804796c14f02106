import { sql, type Transaction } from 'kysely'
import { givenRows } from '../../database/given-rows.ts'
import type { Outcome } from '../../database/schema/payments.ts'
import type { Schema } from '../../database/schema/schema.ts'
import { endpointHost } from '../../values/endpoint.ts'
import { toGuideInstant } from '../../values/instant.ts'
import { cleanText } from '../../values/outside-text.ts'
import { toWireResultCode } from '../../values/result-code.ts'

/** What a delivery says of one outcome. */
export type OutcomeEvent = {
  paymentId: bigint
  partnerId: bigint
  callbackUrl: string
  msisdn: string
  amountKes: number
  merchantRequestId: string | null
  checkoutRequestId: string | null
  resultCode: string
  resultDesc: string
  receipt: string | null
  transactionDate: Date
  outcome: Outcome
}

/**
 * The body that every attempt sends: the guide's ten fields, in its order, nothing more. Half a character, which JSON could
 * carry, is in none of its texts: a partner whose parser refuses it could never take the delivery.
 */
export const renderBody = (event: OutcomeEvent): string =>
  JSON.stringify({
    transaction_id: Number(event.paymentId),
    merchant_request_id: cleanOrNull(event.merchantRequestId),
    checkout_request_id: cleanOrNull(event.checkoutRequestId),
    result_code: toWireResultCode(cleanText(event.resultCode)),
    result_desc: cleanText(event.resultDesc),
    amount: event.amountKes,
    mpesa_receipt: cleanOrNull(event.receipt),
    transaction_date: toGuideInstant(event.transactionDate),
    phone: event.msisdn,
    status: event.outcome,
  })

const cleanOrNull = (text: string | null): string | null => (text === null ? null : cleanText(text))

/**
 * Puts one delivery for each event into the outbox, inside the transaction that settles the payments, so that no outcome
 * is without its delivery and no delivery without its outcome (law 5). A payment can succeed once and fail once, so payment
 * and outcome make the `webhook-id`.
 */
export const enqueueDeliveries = async (
  transaction: Transaction<Schema>,
  events: readonly OutcomeEvent[],
): Promise<void> => {
  if (events.length === 0) return
  await sql`
    WITH added AS (
      INSERT INTO deliveries (payment_id, partner_id, webhook_id, callback_url, host, body)
      SELECT * FROM ${givenRows(events, {
        payment_id: ['deliveries.payment_id', (event) => event.paymentId],
        partner_id: ['deliveries.partner_id', (event) => event.partnerId],
        webhook_id: ['deliveries.webhook_id', (event) => `msg_${event.paymentId}_${event.outcome}`],
        callback_url: ['deliveries.callback_url', (event) => event.callbackUrl],
        host: ['deliveries.host', (event) => endpointHost(event.callbackUrl)],
        body: ['deliveries.body', renderBody],
      })}
      RETURNING id, partner_id, host
    )
    INSERT INTO to_deliver (delivery_id, partner_id, host) SELECT id, partner_id, host FROM added
  `.execute(transaction)
}
