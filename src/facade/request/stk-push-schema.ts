import { z } from 'zod'
import { MAX_CALLBACK_URL_CHARACTERS } from '../../values/callback-url.ts'
import { MAX_EXPIRES_IN_SECONDS, MIN_EXPIRES_IN_SECONDS } from '../../values/expires-in.ts'
import { MAX_IDEMPOTENCY_KEY_CHARACTERS } from '../../values/idempotency-key.ts'
import {
  MAX_METADATA_PAIRS,
  MAX_METADATA_VALUE_CHARACTERS,
  METADATA_NAME_PATTERN,
} from '../../values/metadata.ts'
import { MAX_REFERENCE_CHARACTERS } from '../../values/reference.ts'
import { answer, partnerOperation, refusal } from '../answers.ts'
import { MAX_BODY_BYTES, MESSAGES, tooLarge } from '../errors.ts'
import { amount, phone, transactionId } from '../fields.ts'

// What the document says of a request for a payment. Its values are judged by the core alone, `callback_url` first
// (guide), and fields that are not here are ignored, so Fastify is not given this schema; a test holds the two together.

/** How many pairs there are at most is for the core: the document has no word for it that zod writes. */
const metadata = z
  .record(z.string().regex(METADATA_NAME_PATTERN), z.string().max(MAX_METADATA_VALUE_CHARACTERS))
  .meta({ maxProperties: MAX_METADATA_PAIRS })

export const stkPushRequest = z
  .object({
    phone,
    amount: amount.meta({ description: 'Whole Kenyan shillings (KES). A JSON number, not a string.' }),
    reference: z
      .string()
      .max(MAX_REFERENCE_CHARACTERS)
      .nullish()
      .meta({
        description: `Your own reference: up to ${MAX_REFERENCE_CHARACTERS} printable characters. The payer sees its first 12 letters and digits.`,
        examples: ['INV-2025-001'],
      }),
    callback_url: z
      .string()
      .max(MAX_CALLBACK_URL_CHARACTERS)
      .meta({
        description: 'Where the outcome is POSTed: https, a public host, no user name or password.',
        examples: ['https://yourapp.example.com/payment_callback'],
      }),
    metadata: metadata.nullish().meta({
      description: `Your own pairs of texts, at most ${MAX_METADATA_PAIRS}: they come back where you read the payment, and go nowhere else.`,
      examples: [{ order: '17' }],
    }),
    expires_in: z
      .int()
      .min(MIN_EXPIRES_IN_SECONDS)
      .max(MAX_EXPIRES_IN_SECONDS)
      .nullish()
      .meta({
        description:
          'For how many seconds the payer may still be prompted: a payment whose payer was not prompted by then fails with `NOT_PROMPTED`. Two minutes unless given.',
        examples: [120],
      }),
  })
  .meta({ id: 'StkPushRequest', description: 'A request for a payment. Other fields are ignored.' })

const accepted = z
  .strictObject({
    status: z.literal('success'),
    transaction_id: transactionId,
    message: z.literal('STK Push accepted for processing'),
  })
  .meta({ id: 'Accepted', description: 'The payment is stored, and its payer will be prompted.' })

const duplicate = z
  .strictObject({
    status: z.literal('duplicate'),
    transaction_id: transactionId.meta({ description: "The first request's id." }),
    message: z.literal('Duplicate request (idempotency)'),
  })
  .meta({ id: 'Duplicate', description: 'The same key and body came before.' })

const EXAMPLE = {
  phone: '254712345678',
  amount: 150,
  reference: 'INV-2025-001',
  callback_url: 'https://yourapp.example.com/payment_callback',
}

export const stkPushOperation = partnerOperation({
  operationId: 'requestPayment',
  summary: 'Ask a payer for a payment (STK Push)',
  description:
    'Answers once the request is stored for good; the payer is prompted afterwards, and the outcome is POSTed to `callback_url`. If no answer arrives, or it is 500, 502, 503 or 504, it is not known whether the request was accepted: repeat it with the same `X-Idempotency-Key` and the same body.',
  headers: z.object({
    'X-Idempotency-Key': z
      .string()
      .max(MAX_IDEMPOTENCY_KEY_CHARACTERS)
      .optional()
      .meta({
        description: `Recommended: your own unique name for this payment, such as a UUID; 1 to ${MAX_IDEMPOTENCY_KEY_CHARACTERS} printable ASCII characters. The same key with the same four fields is the same payment, for ever; metadata and expires_in do not count.`,
        examples: ['3f6c1b9e-4d6f-4b57-9f4e-0a4f5f1f7f0a'],
      }),
  }),
  requestBody: {
    required: true,
    content: { 'application/json': { schema: stkPushRequest, examples: { payment: { value: EXAMPLE } } } },
  },
  responses: {
    '200': answer(
      'Accepted; or a duplicate: the same key and body came before, and `transaction_id` is the one they got then.',
      z.discriminatedUnion('status', [accepted, duplicate]),
      {
        accepted: { status: 'success', transaction_id: 102, message: 'STK Push accepted for processing' },
        duplicate: { status: 'duplicate', transaction_id: 102, message: 'Duplicate request (idempotency)' },
      },
    ),
    '400': refusal(
      'The body is not a JSON object, or a field or `X-Idempotency-Key` is wrong. Nothing was stored.',
      'callback_url is required',
    ),
    '413': refusal(`The body has more than ${MAX_BODY_BYTES} bytes.`, tooLarge(MAX_BODY_BYTES)),
    '415': refusal('The body is not declared as `application/json`, or it is compressed.', MESSAGES.notJson),
    '422': refusal(
      'The `X-Idempotency-Key` was used before with another body. Nothing was stored.',
      'this idempotency key was used for a payment with other fields',
    ),
  },
})
