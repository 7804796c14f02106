import { type MessageInitShape } from '@bufbuild/protobuf'
import { timestampFromDate } from '@bufbuild/protobuf/wkt'
import type { PaymentSchema } from '../../gen/mpesa/gateway/v1/payments_pb.js'
import { PAYMENT_STATES } from '../../values/payment-state.ts'
import type { PaymentRow } from '../payments/find.ts'

/** A payment as the services tell it. */
export const toPaymentMessage = (row: PaymentRow): MessageInitShape<typeof PaymentSchema> => ({
  paymentId: row.id,
  partnerId: row.partner_id,
  state: PAYMENT_STATES[row.state],
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
