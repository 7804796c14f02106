import { z } from 'zod'
import type { ZodOpenApiResponseObject } from 'zod-openapi'
import { REQUEST_ID_PATTERN } from '../values/request-id.ts'
import type { Operation } from './described-route.ts'
import { MESSAGES, tooManyWrongKeys } from './errors.ts'

// How the OpenAPI document describes answers: what every one has, and those that every call with a key can get.

const answerHeaders = z.object({
  'X-Request-Id': z
    .string()
    .regex(REQUEST_ID_PATTERN)
    .meta({
      description: 'The id of this request in our logs: quote it when you report something.',
      examples: ['4f0c1d9a2b7e8c3d5a6f9e01-1'],
    }),
})

const waitHeaders = answerHeaders.extend({
  'Retry-After': z
    .int()
    .min(0)
    .meta({ description: 'How many seconds to wait.', examples: [1] }),
})

const error = z
  .strictObject({
    status: z.literal('error'),
    message: z.string().meta({
      description: 'Which field is wrong, and what would be right. For people: decide on the HTTP status.',
      examples: ['callback_url is required'],
    }),
  })
  .meta({ id: 'Error', description: 'Every answer that is not a success.' })

/** An answer and what it looks like, by the example's name. */
export const answer = (
  description: string,
  schema: z.ZodType,
  examples: Readonly<Record<string, unknown>>,
): ZodOpenApiResponseObject => ({
  description,
  headers: answerHeaders,
  content: {
    'application/json': {
      schema,
      examples: Object.fromEntries(Object.entries(examples).map(([name, value]) => [name, { value }])),
    },
  },
})

/** An error, with a message that it can have. */
export const refusal = (description: string, message: string): ZodOpenApiResponseObject =>
  answer(description, error, { refused: { status: 'error', message } })

const tryAgain = (description: string, message: string): ZodOpenApiResponseObject => ({
  ...refusal(description, message),
  headers: waitHeaders,
})

/** What every route may answer. */
export const COMMON_ERRORS = {
  '500': refusal(
    'A defect of ours. The message names the request id and nothing else. It is not known whether the request was carried out.',
    'internal error: quote the request id 4f0c1d9a2b7e8c3d5a6f9e01-1 when you report it',
  ),
  '503': tryAgain('The gateway cannot answer just now. Try again.', MESSAGES.unavailable),
}

/** What every call with an API key may be answered. */
const PARTNER_ERRORS = {
  '401': refusal('No `X-API-KEY`, or an unknown one.', MESSAGES.keyMissing),
  '403': refusal(
    'The API key was revoked, or the partner is disabled.',
    'the API key in X-API-KEY was revoked',
  ),
  '429': tryAgain('Too many requests.', tooManyWrongKeys(30)),
  ...COMMON_ERRORS,
}

const requestHeaders = z.object({
  'X-Request-Id': z
    .string()
    .optional()
    .meta({
      description:
        'Your own id for this request, 1 to 128 letters, digits, `.`, `_` or `-`; it comes back in the answer. Any other value is replaced.',
      examples: ['order-4711'],
    }),
})

/** An operation that needs a key. `headers`: those of the request that only this one has. */
export const partnerOperation = (
  operation: Omit<Operation, 'requestParams'> & { headers?: z.ZodObject },
): Operation => {
  const { headers, responses, ...described } = operation
  return {
    tags: ['Payments'],
    security: [{ ApiKey: [] }],
    ...described,
    requestParams: { header: headers?.extend(requestHeaders.shape) ?? requestHeaders },
    responses: { ...responses, ...PARTNER_ERRORS },
  }
}
