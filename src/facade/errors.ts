import { Code, ConnectError } from '@connectrpc/connect'
import { FieldViolationSchema } from '../gen/mpesa/gateway/v1/errors_pb.js'

/** The content type of every JSON answer. */
export const JSON_TYPE = 'application/json; charset=utf-8'

/** A request that is refused here, before the core sees it, and the answer that its caller gets. */
export class Refusal extends Error {
  override name = 'Refusal'
  readonly status: number
  readonly headers: Readonly<Record<string, string>>

  constructor(status: number, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message)
    this.status = status
    this.headers = headers
  }
}

/** The answer to an error. The body of every error is made of `message` alone. */
export type ErrorAnswer = { status: number; message: string; headers: Readonly<Record<string, string>> }

/** The largest body that a partner's request may have, bytes. */
export const MAX_BODY_BYTES = 16 * 1024

/** The longest URL, characters: far above ours, and room for an id or a token that its own route refuses by name. */
export const MAX_URL_CHARACTERS = 8 * 1024

/** How many headers a request may have; all of them together have 16 KiB, which is Node's own limit. */
export const MAX_HEADERS = 100

/** Every message of the facade's own. Those about fields are the core's, with the field's name on this wire. */
export const MESSAGES = {
  keyMissing: 'X-API-KEY is required: send your API key in this header',
  malformedHttp: 'the request is not valid HTTP',
  malformedPath: 'the path is not valid: check its percent-encoding',
  malformedQuery: 'the query is not valid: check its percent-encoding, which is of UTF-8',
  malformedBody: 'the body could not be read: it ended early or its length is wrong',
  lengthMissing: 'the body has no length: send it with Content-Length, or in chunks',
  hostMissing: 'the header Host is required',
  notJson: 'the body must be JSON: send it with Content-Type: application/json',
  compressed: 'the body must not be compressed: leave Content-Encoding out',
  malformedJson: 'the body must be valid JSON in UTF-8',
  notObject: 'the body must be a JSON object, like {"phone":"254712345678",…}',
  noSuchPath: 'there is nothing at this path',
  noProxy: 'this server is no proxy',
  noSuchTransaction: 'no such transaction',
  tooSlow: 'the request took too long to arrive',
  headersTooLarge: 'the headers are too large',
  urlTooLong: `the URL must be at most ${MAX_URL_CHARACTERS} characters`,
  tooManyHeaders: `there must be at most ${MAX_HEADERS} headers`,
  unavailable:
    'the gateway cannot answer just now: repeat the request, with the same X-Idempotency-Key if it had one',
} as const

/** The message about a body over the limit. */
export const tooLarge = (maxBytes: number): string => `the body must be at most ${maxBytes} bytes`

/** The message to an address that shows one wrong key after the other. */
export const tooManyWrongKeys = (waitSeconds: number): string =>
  `too many wrong API keys came from your address: try again in ${waitSeconds} s`

/** The message about a defect of ours: nothing of the inside, only how to find it in the log. */
const internalError = (requestId: string): string =>
  `internal error: quote the request id ${requestId} when you report it`

/** The exact body of every error (guide). */
export const renderError = (message: string): string =>
  `{"status":"error","message":${JSON.stringify(message)}}`

/** Decides the answer to whatever was thrown while a request was answered. */
export const toErrorAnswer = (
  error: unknown,
  options: { requestId: string; maxBodyBytes: number },
): ErrorAnswer => {
  if (error instanceof Refusal) return error
  if (error instanceof ConnectError) return fromCore(error, options.requestId)
  switch (fastifyStatusOf(error)) {
    case 413:
      return { status: 413, message: tooLarge(options.maxBodyBytes), headers: {} }
    case 415:
      return { status: 415, message: MESSAGES.notJson, headers: {} }
    case 400:
      return { status: 400, message: MESSAGES.malformedBody, headers: {} }
    default:
      return { status: 500, message: internalError(options.requestId), headers: {} }
  }
}

/**
 * The status that Fastify gave one of its own errors (and the body's reader one of Node's); undefined for all others.
 */
const fastifyStatusOf = (error: unknown): unknown =>
  error instanceof Error && 'statusCode' in error ? error.statusCode : undefined

/** What the core's codes are in HTTP; a code that is not here is a defect. A duplicate is no error: never 409. */
const STATUS_OF_CODE: ReadonlyMap<Code, number> = new Map([
  [Code.InvalidArgument, 400],
  [Code.Unauthenticated, 401],
  [Code.PermissionDenied, 403],
  [Code.NotFound, 404],
  [Code.FailedPrecondition, 422],
  [Code.ResourceExhausted, 429],
  [Code.Unavailable, 503],
])

const fromCore = (error: ConnectError, requestId: string): ErrorAnswer => {
  const status = STATUS_OF_CODE.get(error.code) ?? 500
  if (status === 500) return { status, message: internalError(requestId), headers: {} }
  return {
    status,
    message: describe(error),
    headers: status === 429 || status === 503 ? retryAfter(error) : {},
  }
}

const describe = (error: ConnectError): string => {
  if (error.code === Code.NotFound) return MESSAGES.noSuchTransaction
  if (error.code === Code.Unavailable) return MESSAGES.unavailable
  const violation = error.findDetails(FieldViolationSchema)[0]
  if (!violation) return error.rawMessage
  return `${REST_NAMES.get(violation.field) ?? violation.field} ${violation.problem}`
}

/** The core's names of fields that have another name on this wire. */
const REST_NAMES = new Map([
  ['msisdn', 'phone'],
  ['amount_kes', 'amount'],
  ['idempotency_key', 'X-Idempotency-Key'],
  ['payment_id', 'transaction_id'],
  ['page_size', 'limit'],
  ['expires_in_seconds', 'expires_in'],
  ['receipt', 'mpesa_receipt'],
  ['state', 'status'],
])

/** How many seconds the caller waits before it asks again: as the core says, else one. */
const retryAfter = (error: ConnectError): Record<string, string> => ({
  'retry-after': error.metadata.get('retry-after') ?? '1',
})
