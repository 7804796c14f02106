import type { MessageInitShape } from '@bufbuild/protobuf'
import { timestampFromDate } from '@bufbuild/protobuf/wkt'
import type { PaymentSchema } from '../../gen/mpesa/gateway/v1/payments_pb.js'
import { PAYMENT_STATES } from '../../values/payment-state.ts'
import { isTestId, partnerIdOf } from '../../values/test-partner.ts'
import { failureOf } from '../payments/failures.ts'
import type { PaymentRow } from '../payments/find.ts'

/** A payment as the services return it. */
export const toPaymentMessage = (row: PaymentRow): MessageInitShape<typeof PaymentSchema> => ({
  paymentId: row.id,
  partnerId: partnerIdOf(row.partner_id),
  test: isTestId(row.partner_id),
  state: PAYMENT_STATES[row.state],
  msisdn: row.msisdn,
  amountKes: row.amount_kes,
  reference: row.reference ?? undefined,
  callbackUrl: row.callback_url,
  createdAt: timestampFromDate(row.created_at),
  expiresAt: timestampFromDate(row.submit_by),
  merchantRequestId: row.merchant_request_id ?? undefined,
  checkoutRequestId: row.checkout_request_id ?? undefined,
  resultCode: row.result_code ?? undefined,
  resultDesc: row.result_desc ?? undefined,
  receipt: row.receipt ?? undefined,
  ...(row.transaction_date !== null && { transactionDate: timestampFromDate(row.transaction_date) }),
  ...(row.state === 'failed' && { failure: failureOf(row.result_code ?? '') }),
  metadata: { ...row.metadata },
})
