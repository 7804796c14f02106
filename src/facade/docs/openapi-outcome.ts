import { z } from 'zod'
import type { ZodOpenApiPathItemObject } from 'zod-openapi'
import {
  amount,
  checkoutRequestId,
  instant,
  merchantRequestId,
  nullableText,
  phone,
  transactionId,
} from '../fields.ts'

/** What the dispatcher POSTs: the guide's ten fields, in its order. */
const callback = z
  .strictObject({
    transaction_id: transactionId,
    merchant_request_id: merchantRequestId,
    checkout_request_id: checkoutRequestId,
    result_code: z.union([z.int(), z.string()]).meta({
      description:
        "M-PESA's result code: 0 is paid, anything else is not. A string where M-PESA's code is not numeric.",
      examples: [0],
    }),
    result_desc: z
      .string()
      .meta({ description: "M-PESA's text for it.", examples: ['Processed successfully.'] }),
    amount,
    mpesa_receipt: nullableText("M-PESA's receipt; null if the payment failed.", 'RKT7S9T2UB'),
    transaction_date: instant('When the money moved, or for a failure when it became known. UTC.'),
    phone,
    status: z
      .enum(['successful', 'failed'])
      .meta({ description: 'Whether the payer paid.', examples: ['successful'] }),
  })
  .meta({ id: 'Callback', description: 'The outcome of a payment.' })

const PAID: z.output<typeof callback> = {
  transaction_id: 102,
  merchant_request_id: '29115-34620561-1',
  checkout_request_id: 'ws_CO_22052025084523789',
  result_code: 0,
  result_desc: 'Processed successfully.',
  amount: 150,
  mpesa_receipt: 'RKT7S9T2UB',
  transaction_date: '2025-05-22T08:47:05Z',
  phone: '254712345678',
  status: 'successful',
}

const CANCELLED: z.output<typeof callback> = {
  ...PAID,
  result_code: 1032,
  result_desc: 'Request cancelled by user.',
  mpesa_receipt: null,
  status: 'failed',
}

const headers = z.object({
  'webhook-id': z.string().meta({
    description:
      'The same for every attempt to deliver this outcome. It begins with `test_` where we try your endpoint.',
    examples: ['01980d2c-6f7e-7c3a-9a53-0e8f3d1b2c4d'],
  }),
  'webhook-timestamp': z
    .int()
    .min(0)
    .meta({
      description: 'When this attempt was made: seconds since 1970, UTC.',
      examples: [1747903625],
    }),
  'webhook-signature': z
    .string()
    .optional()
    .meta({
      description:
        'Proves that it is from us (Standard Webhooks): `v1,` and the base64 of HMAC-SHA256 over `webhook-id.webhook-timestamp.body` under your signing secret; several, with blanks between them, while a secret is replaced. There is none as long as you have no signing secret.',
      examples: ['v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4='],
    }),
  'webhook-attempt': z
    .int()
    .min(1)
    .meta({ description: 'Counts the attempts from 1.', examples: [1] }),
  'X-Gateway-Test': z
    .string()
    .optional()
    .meta({
      description:
        'Only of a test: `payment` of a test payment of yours, or the name of a sample with which we try your endpoint. Verify and answer it like every other, and deliver nothing for it.',
      examples: ['payment'],
    }),
})

/** What the gateway POSTs to partners. `deliveryScheduleMs`: the pause before each attempt. */
export const describeOutcome = (deliveryScheduleMs: readonly number[]): ZodOpenApiPathItemObject => ({
  post: {
    operationId: 'receiveOutcome',
    tags: ['Outcomes'],
    summary: 'What the gateway POSTs to your `callback_url`',
    description: `Sent when the outcome is known. Answer with any 2xx within 10 seconds; anything else, a redirect too, ${describeRetries(deliveryScheduleMs)}. A 410 ends the attempts. The same outcome can come more than once: keep the \`webhook-id\`s that you have handled. A payment that was reported as failed can later be reported as successful, with another \`webhook-id\`: the later one counts.`,
    security: [],
    requestParams: { header: headers },
    requestBody: {
      required: true,
      content: {
        'application/json': {
          schema: callback,
          examples: { paid: { value: PAID }, cancelled: { value: CANCELLED } },
        },
      },
    },
    responses: {
      '2XX': { description: 'Received: it is not sent again.' },
      '410': { description: 'Nothing is to be sent here: the attempts end.' },
    },
  },
})

/** The end of a sentence that says when an attempt that failed is made again. */
const describeRetries = (scheduleMs: readonly number[]): string => {
  const pauses = scheduleMs.slice(1).map(renderPause)
  if (pauses.length === 0) return 'is not tried again'
  const after = new Intl.ListFormat('en').format(pauses)
  return `is tried again after ${after}, each counted from the attempt before, and later if your \`Retry-After\` asks so`
}

const renderPause = (ms: number): string => {
  const seconds = ms / 1000
  if (seconds % 3600 === 0) return `${seconds / 3600} h`
  return seconds % 60 === 0 ? `${seconds / 60} min` : `${seconds} s`
}
