import { MAX_AMOUNT_KES } from '../../values/amount.ts'
import { MAX_CALLBACK_URL_CHARACTERS } from '../../values/callback-url.ts'
import { MSISDN_PATTERN } from '../../values/msisdn.ts'
import { PAYMENT_STATE_NAMES } from '../../values/payment-state.ts'
import { MAX_REFERENCE_CHARACTERS } from '../../values/reference.ts'

/** As much of JSON Schema 2020-12 as the document uses. */
export type Schema = {
  readonly $ref?: string
  readonly type?: string | readonly string[]
  readonly description?: string
  readonly const?: string | number
  readonly enum?: readonly string[]
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly additionalProperties?: boolean
  readonly items?: Schema
  readonly oneOf?: readonly Schema[]
  readonly pattern?: string
  readonly format?: string
  readonly minimum?: number
  readonly maximum?: number
  readonly maxLength?: number
  readonly examples?: readonly unknown[]
}

/** An answer's object: exactly these members, each always there. */
const exactly = (properties: Readonly<Record<string, Schema>>): Schema => ({
  type: 'object',
  properties,
  required: Object.keys(properties),
  additionalProperties: false,
})

const transactionId: Schema = {
  type: 'integer',
  minimum: 1,
  description: "The gateway's id of the payment. Ids grow.",
  examples: [102],
}

const phone: Schema = {
  type: 'string',
  pattern: MSISDN_PATTERN.source,
  description: "The payer's number in international format.",
  examples: ['254712345678'],
}

const amount: Schema = {
  type: 'integer',
  minimum: 1,
  maximum: MAX_AMOUNT_KES,
  description: 'Whole Kenyan shillings (KES).',
  examples: [150],
}

const nullableText = (description: string, example: string): Schema => ({
  type: ['string', 'null'],
  description,
  examples: [example],
})

const merchantRequestId = nullableText(
  "M-PESA's id of the prompt; null if it never gave one.",
  '29115-34620561-1',
)

const checkoutRequestId = nullableText(
  "M-PESA's second id of the prompt; null if it never gave one.",
  'ws_CO_22052025084523789',
)

const instant = (description: string): Schema => ({
  type: 'string',
  format: 'date-time',
  description,
  examples: ['2025-05-22T08:47:05Z'],
})

const resultCode = (types: readonly string[], unless: string): Schema => ({
  type: types,
  description: `M-PESA's result code: 0 is paid, anything else is not. A string where M-PESA's code is not numeric${unless}.`,
  examples: [0],
})

const request: Schema = {
  type: 'object',
  properties: {
    phone,
    amount: { ...amount, description: `${amount.description} A JSON number, not a string.` },
    reference: {
      type: ['string', 'null'],
      maxLength: MAX_REFERENCE_CHARACTERS,
      description: `Your own reference: up to ${MAX_REFERENCE_CHARACTERS} printable characters. The payer sees its first 12 letters and digits.`,
      examples: ['INV-2025-001'],
    },
    callback_url: {
      type: 'string',
      maxLength: MAX_CALLBACK_URL_CHARACTERS,
      description: 'Where the outcome is POSTed: https, a public host, no user name or password.',
      examples: ['https://yourapp.example.com/payment_callback'],
    },
  },
  required: ['phone', 'amount', 'callback_url'],
}

const transaction = exactly({
  transaction_id: transactionId,
  status: {
    type: 'string',
    enum: PAYMENT_STATE_NAMES,
    description:
      'Where the payment stands. `successful` is paid; `failed` is not paid; the others are not the end.',
    examples: ['successful'],
  },
  phone,
  amount,
  reference: nullableText('Your own reference; null if you gave none.', 'INV-2025-001'),
  callback_url: { type: 'string', description: 'As you gave it.' },
  merchant_request_id: merchantRequestId,
  checkout_request_id: checkoutRequestId,
  result_code: resultCode(['integer', 'string', 'null'], '; null until the outcome is known'),
  result_desc: nullableText(
    "M-PESA's text for it; null until the outcome is known.",
    'Processed successfully.',
  ),
  mpesa_receipt: nullableText("M-PESA's receipt of a paid payment, else null.", 'RKT7S9T2UB'),
  transaction_date: {
    ...instant('When the money moved, or for a failure when it became known; null until then. UTC.'),
    type: ['string', 'null'],
  },
  created_at: instant('When the gateway accepted the request. UTC.'),
})

const callback = exactly({
  transaction_id: transactionId,
  merchant_request_id: merchantRequestId,
  checkout_request_id: checkoutRequestId,
  result_code: resultCode(['integer', 'string'], ''),
  result_desc: {
    type: 'string',
    description: "M-PESA's text for it.",
    examples: ['Processed successfully.'],
  },
  amount,
  mpesa_receipt: nullableText("M-PESA's receipt; null if the payment failed.", 'RKT7S9T2UB'),
  transaction_date: instant('When the money moved, or for a failure when it became known. UTC.'),
  phone,
  status: { type: 'string', enum: ['successful', 'failed'], examples: ['successful'] },
})

/** Every body of the interface, by name. */
export const SCHEMAS = {
  StkPushRequest: request,
  Accepted: exactly({
    status: { const: 'success' },
    transaction_id: transactionId,
    message: { const: 'STK Push accepted for processing' },
  }),
  Duplicate: exactly({
    status: { const: 'duplicate' },
    transaction_id: { ...transactionId, description: "The first request's id." },
    message: { const: 'Duplicate request (idempotency)' },
  }),
  Error: exactly({
    status: { const: 'error' },
    message: {
      type: 'string',
      description: 'Which field is wrong, and what would be right. For people: decide on the HTTP status.',
      examples: ['callback_url is required'],
    },
  }),
  Transaction: transaction,
  TransactionAnswer: exactly({
    status: { const: 'success' },
    transaction: { $ref: '#/components/schemas/Transaction' },
  }),
  TransactionsAnswer: exactly({
    status: { const: 'success' },
    transactions: {
      type: 'array',
      items: { $ref: '#/components/schemas/Transaction' },
      description: 'Newest first.',
    },
    next_before: {
      type: ['integer', 'null'],
      description: 'The `before` of the next page; null on the last.',
      examples: [102],
    },
  }),
  Callback: callback,
  Acknowledgement: exactly({ ResultCode: { const: 0 }, ResultDesc: { const: 'Success' } }),
  Alive: exactly({ status: { const: 'ok' } }),
} as const satisfies Record<string, Schema>

export type SchemaName = keyof typeof SCHEMAS
