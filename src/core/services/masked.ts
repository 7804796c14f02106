import type { MessageInitShape } from '@bufbuild/protobuf'
import type { PaymentSchema } from '../../gen/mpesa/gateway/v1/payments_pb.js'
import { createRedact } from '../../runtime/redact.ts'
import type { PaymentRow } from '../payments/find.ts'
import { toPaymentMessage } from './payment-message.ts'

/** Text without whole numbers and secrets. */
export const masked = createRedact()

export const maskedOrUnset = (text: string | null | undefined): string | undefined =>
  text === null || text === undefined ? undefined : masked(text)

/** A payment as people see it who have not asked for more: whatever others wrote may hold a number. */
export const toMaskedPayment = (row: PaymentRow): MessageInitShape<typeof PaymentSchema> => ({
  ...toPaymentMessage(row),
  msisdn: masked(row.msisdn),
  reference: maskedOrUnset(row.reference),
  callbackUrl: masked(row.callback_url),
  checkoutRequestId: maskedOrUnset(row.checkout_request_id),
  resultDesc: maskedOrUnset(row.result_desc),
  metadata: Object.fromEntries(
    Object.entries(row.metadata ?? {}).map(([name, value]) => [masked(name), masked(value)]),
  ),
})
