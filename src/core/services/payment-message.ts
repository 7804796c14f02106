import { type MessageInitShape } from '@bufbuild/protobuf'
import { timestampFromDate } from '@bufbuild/protobuf/wkt'
import type { PaymentStateName } from '../../database/schema/payments.ts'
import { type PaymentSchema, PaymentState } from '../../gen/mpesa/gateway/v1/payments_pb.js'
import type { PaymentRow } from '../payments/find.ts'
import { isPaymentState } from '../payments/payment.ts'

const STATES: Readonly<Record<PaymentStateName, PaymentState>> = {
  accepted: PaymentState.ACCEPTED,
  submitting: PaymentState.SUBMITTING,
  submitted: PaymentState.SUBMITTED,
  unconfirmed: PaymentState.UNCONFIRMED,
  successful: PaymentState.SUCCESSFUL,
  failed: PaymentState.FAILED,
}

/** The state's name in SQL; null for one that is not set or not known. */
export const toStateName = (state: PaymentState): PaymentStateName | null => {
  for (const [name, value] of Object.entries(STATES)) if (value === state && isPaymentState(name)) return name
  return null
}

/** A payment as the services tell it. */
export const toPaymentMessage = (row: PaymentRow): MessageInitShape<typeof PaymentSchema> => ({
  paymentId: row.id,
  partnerId: row.partner_id,
  state: STATES[row.state],
  msisdn: row.msisdn,
  amountKes: row.amount_kes,
  reference: row.reference ?? undefined,
  callbackUrl: row.callback_url,
  createdAt: timestampFromDate(row.created_at),
  merchantRequestId: row.merchant_request_id ?? undefined,
  checkoutRequestId: row.checkout_request_id ?? undefined,
  resultCode: row.result_code ?? undefined,
  resultDesc: row.result_desc ?? undefined,
  receipt: row.receipt ?? undefined,
  ...(row.transaction_date !== null && { transactionDate: timestampFromDate(row.transaction_date) }),
})
