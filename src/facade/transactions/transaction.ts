import { type Timestamp, timestampDate } from '@bufbuild/protobuf/wkt'
import type { Payment } from '../../gen/mpesa/gateway/v1/payments_pb.js'
import { toGuideInstant } from '../../values/instant.ts'
import { toPaymentStateName } from '../../values/payment-state.ts'
import { toWireResultCode } from '../../values/result-code.ts'

/** A payment as partners see it: the guide's field names, in the order of its callback; instants in UTC. */
export const toTransaction = (payment: Payment): Record<string, string | number | null> => ({
  transaction_id: Number(payment.paymentId),
  status: toPaymentStateName(payment.state),
  phone: payment.msisdn,
  amount: payment.amountKes,
  reference: payment.reference ?? null,
  callback_url: payment.callbackUrl,
  merchant_request_id: payment.merchantRequestId ?? null,
  checkout_request_id: payment.checkoutRequestId ?? null,
  result_code: payment.resultCode === undefined ? null : toWireResultCode(payment.resultCode),
  result_desc: payment.resultDesc ?? null,
  mpesa_receipt: payment.receipt ?? null,
  transaction_date: toInstant(payment.transactionDate),
  created_at: toInstant(payment.createdAt),
})

const toInstant = (timestamp: Timestamp | undefined): string | null =>
  timestamp === undefined ? null : toGuideInstant(timestampDate(timestamp))
