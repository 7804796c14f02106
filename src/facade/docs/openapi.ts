import {
  getTransaction,
  JSON_MEDIA,
  json,
  listTransactions,
  type Operation,
  type Parameter,
  page,
  stkCallback,
  stkPush,
} from './openapi-operations.ts'
import { SCHEMAS, type Schema } from './openapi-schemas.ts'

const deliveryHeader = (name: string, description: string, schema: Schema): Parameter => ({
  name,
  in: 'header',
  required: true,
  description,
  schema,
})

const describeOutcome = (deliveryScheduleMs: readonly number[]): Omit<Operation, 'responses'> => ({
  operationId: 'receiveOutcome',
  tags: ['partner'],
  summary: 'What the gateway POSTs to your `callback_url`',
  description: `Sent when the outcome is known. Answer with any 2xx within 10 seconds; anything else, a redirect too, ${describeRetries(deliveryScheduleMs)}. A 410 ends the attempts. The same outcome can come more than once: keep the \`webhook-id\`s that you have handled. A payment that was reported as failed can later be reported as successful, with another \`webhook-id\`: the later one counts.`,
  security: [],
  parameters: [
    deliveryHeader('webhook-id', 'The same for every attempt to deliver this outcome.', { type: 'string' }),
    deliveryHeader('webhook-timestamp', 'When this attempt was made: seconds since 1970, UTC.', {
      type: 'integer',
    }),
    deliveryHeader(
      'webhook-signature',
      'Proves that it is from us (Standard Webhooks): `v1,` and the base64 of HMAC-SHA256 over `webhook-id.webhook-timestamp.body` under your signing secret; several, with blanks between them, while a secret is replaced.',
      { type: 'string' },
    ),
    deliveryHeader('webhook-attempt', 'Counts the attempts from 1.', { type: 'integer', minimum: 1 }),
  ],
  requestBody: { required: true, content: json('Callback') },
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

export type ApiDocument = ReturnType<typeof describeApi>

/**
 * The description of everything this server answers, as OpenAPI 3.1 (https://spec.openapis.org/oas/v3.1.1).
 * `deliveryScheduleMs`: the pause before each attempt to deliver an outcome.
 */
export const describeApi = (deliveryScheduleMs: readonly number[]) => ({
  openapi: '3.1.1',
  info: {
    title: 'M-PESA Gateway API',
    version: '1.0.0',
    description:
      'Ask a payer for a payment with one call; the payer gets a prompt on the phone, and the gateway POSTs the outcome to your `callback_url`. Call it from your servers only and keep the API key there.',
  },
  servers: [{ url: '/' }],
  paths: {
    '/api/v1/mpesa/stk_push': { post: stkPush },
    '/api/v1/mpesa/transactions/{transaction_id}': { get: getTransaction },
    '/api/v1/mpesa/transactions': { get: listTransactions },
    '/callbacks/stk/{token}': { post: stkCallback },
    '/healthz': { get: page('getHealth', 'This process is alive.', json('Alive')) },
    '/api/v1/openapi.json': {
      get: page('getOpenApi', 'This document.', { [JSON_MEDIA]: { schema: { type: 'object' } } }),
    },
    '/docs': {
      get: page('getDocs', 'This document, for people.', { 'text/html': { schema: { type: 'string' } } }),
    },
  },
  webhooks: {
    outcome: {
      post: {
        ...describeOutcome(deliveryScheduleMs),
        responses: { '2XX': { description: 'Received: it is not sent again.' } },
      },
    },
  },
  components: {
    schemas: SCHEMAS,
    securitySchemes: {
      ApiKey: {
        type: 'apiKey',
        in: 'header',
        name: 'X-API-KEY',
        description: 'Your partner API key. Keep it on your servers.',
      },
    },
  },
})
