import { MAX_IDEMPOTENCY_KEY_CHARACTERS } from '../../values/idempotency-key.ts'
import { PAYMENTS_PAGE } from '../../values/page-size.ts'
import { PAYMENT_STATE_NAMES } from '../../values/payment-state.ts'
import { REQUEST_ID_PATTERN } from '../../values/request-id.ts'
import { MAX_CALLBACK_BYTES } from '../callback/post-stk-callback.ts'
import { MAX_BODY_BYTES } from '../errors.ts'
import type { Schema, SchemaName } from './openapi-schemas.ts'

export type Parameter = {
  readonly name: string
  readonly in: 'header' | 'path' | 'query'
  readonly required: boolean
  readonly description: string
  readonly schema: Schema
}

type Content = Readonly<Record<string, { readonly schema: Schema }>>

export type Answer = {
  readonly description: string
  readonly headers: Readonly<Record<string, { readonly description: string; readonly schema: Schema }>>
  readonly content: Content
}

export type Operation = {
  readonly operationId: string
  readonly tags: readonly string[]
  readonly summary: string
  readonly description?: string
  readonly security: readonly Readonly<Record<string, readonly string[]>>[]
  readonly parameters: readonly Parameter[]
  readonly requestBody?: { readonly required: boolean; readonly content: Content }
  readonly responses: Readonly<Record<string, Answer>>
}

export const JSON_MEDIA = 'application/json'

const refersTo = (...names: SchemaName[]): Schema => {
  const [first, ...others] = names.map((name) => ({ $ref: `#/components/schemas/${name}` }))
  return others.length === 0 ? { ...first } : { oneOf: [{ ...first }, ...others] }
}

export const json = (...names: SchemaName[]): Content => ({ [JSON_MEDIA]: { schema: refersTo(...names) } })

const REQUEST_ID_HEADER = {
  'X-Request-Id': {
    description: 'The id of this request in our logs: quote it when you report something.',
    schema: { type: 'string', pattern: REQUEST_ID_PATTERN.source },
  },
} as const

const RETRY_AFTER_HEADER = {
  'Retry-After': { description: 'How many seconds to wait.', schema: { type: 'integer', minimum: 0 } },
} as const

const answer = (description: string, ...names: SchemaName[]): Answer => ({
  description,
  headers: REQUEST_ID_HEADER,
  content: json(...names),
})

const error = (description: string): Answer => answer(description, 'Error')

const tryAgain = (description: string): Answer => ({
  ...error(description),
  headers: { ...REQUEST_ID_HEADER, ...RETRY_AFTER_HEADER },
})

const UNAVAILABLE = { '503': tryAgain('The gateway cannot answer just now. Try again.') }

const DEFECT = { '500': error('A defect of ours. The message names the request id and nothing else.') }

/** What every call with an API key may be answered. */
const PARTNER_ERRORS = {
  '401': error('No `X-API-KEY`, or an unknown one.'),
  '403': error('The API key was revoked, or the partner is disabled.'),
  '429': tryAgain('Too many requests.'),
  ...DEFECT,
  ...UNAVAILABLE,
}

const REQUEST_ID_PARAMETER: Parameter = {
  name: 'X-Request-Id',
  in: 'header',
  required: false,
  description:
    'Your own id for this request, 1 to 128 letters, digits, `.`, `_` or `-`; it comes back in the answer. Any other value is replaced.',
  schema: { type: 'string' },
}

const API_KEY = [{ ApiKey: [] }]

export const stkPush: Operation = {
  operationId: 'requestPayment',
  tags: ['partner'],
  summary: 'Ask a payer for a payment (STK Push)',
  description:
    'Answers once the request is stored for good; the payer is prompted afterwards, and the outcome is POSTed to `callback_url`. If no answer arrives, or it is 500 or 503, it is not known whether the request was accepted: repeat it with the same `X-Idempotency-Key` and the same body.',
  security: API_KEY,
  parameters: [
    {
      name: 'X-Idempotency-Key',
      in: 'header',
      required: false,
      description: `Recommended: your own unique name for this payment, such as a UUID; 1 to ${MAX_IDEMPOTENCY_KEY_CHARACTERS} printable ASCII characters. The same key with the same body is the same payment, for ever.`,
      schema: { type: 'string', maxLength: MAX_IDEMPOTENCY_KEY_CHARACTERS },
    },
    REQUEST_ID_PARAMETER,
  ],
  requestBody: { required: true, content: json('StkPushRequest') },
  responses: {
    '200': answer(
      'Accepted; or a duplicate: the same key and body came before, and `transaction_id` is the one they got then.',
      'Accepted',
      'Duplicate',
    ),
    '400': error(
      'The body is not a JSON object, or a field or `X-Idempotency-Key` is wrong. Nothing was stored.',
    ),
    '413': error(`The body has more than ${MAX_BODY_BYTES} bytes.`),
    '415': error('The body is not declared as `application/json`, or it is compressed.'),
    '422': error('The `X-Idempotency-Key` was used before with another body. Nothing was stored.'),
    ...PARTNER_ERRORS,
  },
}

export const getTransaction: Operation = {
  operationId: 'getTransaction',
  tags: ['partner'],
  summary: 'Read one payment',
  security: API_KEY,
  parameters: [
    {
      name: 'transaction_id',
      in: 'path',
      required: true,
      description: 'The id that the request was answered with.',
      schema: { type: 'integer', minimum: 1 },
    },
    REQUEST_ID_PARAMETER,
  ],
  responses: {
    '200': answer('The payment as it stands now.', 'TransactionAnswer'),
    '400': error('`transaction_id` is not a positive whole number.'),
    '404': error('You have no such payment.'),
    ...PARTNER_ERRORS,
  },
}

export const listTransactions: Operation = {
  operationId: 'listTransactions',
  tags: ['partner'],
  summary: 'List your payments, newest first',
  security: API_KEY,
  parameters: [
    {
      name: 'limit',
      in: 'query',
      required: false,
      description: `How many at most; ${PAYMENTS_PAGE.usual} by default.`,
      schema: { type: 'integer', minimum: 1, maximum: PAYMENTS_PAGE.max },
    },
    {
      name: 'before',
      in: 'query',
      required: false,
      description: 'Only payments with a smaller `transaction_id`: the `next_before` of the page before.',
      schema: { type: 'integer', minimum: 1 },
    },
    {
      name: 'status',
      in: 'query',
      required: false,
      description: 'Only payments that stand here.',
      schema: { type: 'string', enum: PAYMENT_STATE_NAMES },
    },
    {
      name: 'delivery',
      in: 'query',
      required: false,
      description:
        'Only payments with an outcome that your `callback_url` has not answered with a 2xx: one that is still to be delivered, and one that is delivered no more.',
      schema: { type: 'string', enum: ['undelivered'] },
    },
    REQUEST_ID_PARAMETER,
  ],
  responses: {
    '200': answer('One page.', 'TransactionsAnswer'),
    '400': error('`limit`, `before`, `status` or `delivery` is wrong.'),
    ...PARTNER_ERRORS,
  },
}

export const stkCallback: Operation = {
  operationId: 'receiveStkCallback',
  tags: ['daraja'],
  summary: 'Where Daraja posts its callbacks; not for partners',
  security: [],
  parameters: [
    {
      name: 'token',
      in: 'path',
      required: true,
      description: 'Names the payment and proves that the URL is ours.',
      schema: { type: 'string' },
    },
    {
      name: 'nonce',
      in: 'query',
      required: false,
      description: 'Distinguishes the payment from any other that had its number before.',
      schema: { type: 'string' },
    },
  ],
  requestBody: { required: false, content: { '*/*': { schema: {} } } },
  responses: {
    '200': answer('Stored for good, whatever it is.', 'Acknowledgement'),
    '413': error(`The body has more than ${MAX_CALLBACK_BYTES} bytes.`),
    ...DEFECT,
    ...UNAVAILABLE,
  },
}

/** A page without a key. */
export const page = (operationId: string, summary: string, content: Content): Operation => ({
  operationId,
  tags: ['operations'],
  summary,
  security: [],
  parameters: [],
  responses: { '200': { description: summary, headers: REQUEST_ID_HEADER, content } },
})
