import { type Timestamp, timestampDate } from '@bufbuild/protobuf/wkt'
import { z } from 'zod'
import type { Payment } from '../../gen/mpesa/gateway/v1/payments_pb.js'
import { toGuideInstant } from '../../values/instant.ts'
import { PAYMENT_STATE_NAMES, toPaymentStateName } from '../../values/payment-state.ts'
import { toWireResultCode } from '../../values/result-code.ts'
import {
  amount,
  checkoutRequestId,
  instant,
  merchantRequestId,
  nullableText,
  phone,
  transactionId,
} from '../fields.ts'
import { failureSchema, toFailure } from './failure.ts'

/** Where a payment stands. */
export const paymentStatus = z.enum(PAYMENT_STATE_NAMES)

/**
 * A payment as partners see it: the guide's field names, in the order of its callback, then what the callback does not
 * have; instants in UTC.
 */
export const transactionSchema = z
  .strictObject({
    transaction_id: transactionId,
    status: paymentStatus.meta({
      description:
        'Where the payment stands. `successful` is paid; `failed` is not paid; the others are not the end.',
      examples: ['successful'],
    }),
    phone,
    amount,
    reference: nullableText('Your own reference; null if you gave none.', 'INV-2025-001'),
    callback_url: z.string().meta({
      description: 'As you gave it.',
      examples: ['https://yourapp.example.com/payment_callback'],
    }),
    merchant_request_id: merchantRequestId,
    checkout_request_id: checkoutRequestId,
    result_code: z.union([z.int(), z.string(), z.null()]).meta({
      description:
        "M-PESA's result code: 0 is paid, anything else is not. A string where M-PESA's code is not numeric; null until the outcome is known.",
      examples: [0],
    }),
    result_desc: nullableText(
      "M-PESA's text for it; null until the outcome is known.",
      'Processed successfully.',
    ),
    mpesa_receipt: nullableText("M-PESA's receipt of a paid payment, else null.", 'RKT7S9T2UB'),
    transaction_date: instant(
      'When the money moved, or for a failure when it became known; null until then. UTC.',
    ).nullable(),
    created_at: instant('When the gateway accepted the request. UTC.'),
    expires_at: instant(
      'After this instant the payer is not prompted any more; a prompt that is on the phone by then stays. UTC.',
    ),
    failure: failureSchema
      .nullable()
      .meta({ description: 'Why it failed; null unless `status` is `failed`.' }),
    metadata: z
      .record(z.string(), z.string())
      .nullable()
      .meta({ description: 'Your own pairs; null if you gave none.', examples: [{ order: '17' }] }),
    test: z
      .literal(true)
      .optional()
      .meta({
        description:
          'Only of a test payment, asked for with a test key: nobody was prompted, no money moved.',
        examples: [true],
      }),
  })
  .meta({ id: 'Transaction', description: 'A payment of yours as it stands now.' })

export type Transaction = z.output<typeof transactionSchema>

/** What a paid payment looks like. */
export const TRANSACTION_EXAMPLE: Transaction = {
  transaction_id: 102,
  status: 'successful',
  phone: '254712345678',
  amount: 150,
  reference: 'INV-2025-001',
  callback_url: 'https://yourapp.example.com/payment_callback',
  merchant_request_id: '29115-34620561-1',
  checkout_request_id: 'ws_CO_22052025084523789',
  result_code: 0,
  result_desc: 'Processed successfully.',
  mpesa_receipt: 'RKT7S9T2UB',
  transaction_date: '2025-05-22T08:47:05Z',
  created_at: '2025-05-22T08:46:51Z',
  expires_at: '2025-05-22T08:48:51Z',
  failure: null,
  metadata: { order: '17' },
}

/** Throws for a message without what every payment has: an answer would break its schema. */
export const toTransaction = (payment: Payment): Transaction => ({
  transaction_id: Number(payment.paymentId),
  status: given(toPaymentStateName(payment.state), 'state'),
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
  created_at: given(toInstant(payment.createdAt), 'created_at'),
  expires_at: given(toInstant(payment.expiresAt), 'expires_at'),
  failure: payment.failure === undefined ? null : toFailure(payment.failure),
  metadata: Object.keys(payment.metadata).length === 0 ? null : payment.metadata,
  ...(payment.test && { test: true }),
})

const toInstant = (timestamp: Timestamp | undefined): string | null =>
  timestamp === undefined ? null : toGuideInstant(timestampDate(timestamp))

const given = <Value>(value: Value | null, field: string): Value => {
  if (value === null) throw new Error(`the core gave a payment without ${field}`)
  return value
}
