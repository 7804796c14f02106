import { Code, ConnectError } from '@connectrpc/connect'
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from '../../gen/google/rpc/error_details_pb.js'
import { FieldViolationSchema } from '../../gen/mpesa/gateway/v1/errors_pb.js'

/** Whose reasons they are: the `domain` of every `google.rpc.ErrorInfo`. */
export const ERROR_DOMAIN = 'mpesa.gateway'

/**
 * Why a call failed, in the form that programs compare: `reason` of `google.rpc.ErrorInfo`, beside the code and what it
 * means. A reason never changes its meaning, nor its code.
 */
export const REASONS = {
  FIELD_INVALID: [
    Code.InvalidArgument,
    'a field is wrong; `BadRequest` names it and says what would be right',
  ],
  REQUEST_NOT_DECODED: [Code.InvalidArgument, 'the bytes or the JSON are no message of the method'],
  CREDENTIALS_MISSING: [Code.Unauthenticated, 'neither an API key nor a service token was shown'],
  API_KEY_UNKNOWN: [Code.Unauthenticated, 'there is no such API key'],
  TOKEN_UNKNOWN: [Code.Unauthenticated, 'there is no such service token'],
  API_KEY_REVOKED: [Code.PermissionDenied, 'the API key was revoked'],
  API_KEY_EXPIRED: [Code.PermissionDenied, 'the API key has expired'],
  TOKEN_REVOKED: [Code.PermissionDenied, 'the service token was revoked'],
  SCOPE_MISSING: [Code.PermissionDenied, 'the service token lacks the scope that the method needs'],
  PARTNER_DISABLED: [Code.PermissionDenied, 'the partner is disabled'],
  FACADE_REFUSED: [
    Code.PermissionDenied,
    'the token by which a facade apart from its core proves itself is none, was revoked or lacks a scope',
  ],
  SOURCE_REFUSED: [Code.PermissionDenied, 'callbacks are not taken from this address'],
  NOT_FOUND: [Code.NotFound, 'there is no such thing, or it is another partner’s'],
  NOT_POSSIBLE: [Code.FailedPrecondition, 'what is asked for is not possible as things stand'],
  APPROVAL_NEEDED: [
    Code.FailedPrecondition,
    'it waits for another operator, and is not done yet; `metadata` has the `approval_id`',
  ],
  IDEMPOTENCY_KEY_REUSED: [Code.FailedPrecondition, 'the idempotency key was used with other fields'],
  TOO_MANY_WRONG_CREDENTIALS: [Code.ResourceExhausted, 'too many wrong keys or tokens came from the address'],
  TOO_MANY_REQUESTS: [Code.ResourceExhausted, 'the partner asks more often than it may'],
  PAYER_OPEN: [Code.ResourceExhausted, 'a payment of the partner is still open for this payer'],
  PAYER_HOURLY: [
    Code.ResourceExhausted,
    'the payer was asked as often within an hour as the partner may ask one',
  ],
  PARTNER_DAILY: [Code.ResourceExhausted, 'the partner’s limit a day is reached'],
  TOO_MANY_STRANGERS: [Code.ResourceExhausted, 'too many callbacks whose token is none of ours'],
  TOO_MANY_WATCHERS: [
    Code.ResourceExhausted,
    'the partner, or the process, has as many streams of events as it may',
  ],
  DATABASE_AWAY: [Code.Unavailable, 'the database is away; whether the work was done is unknown'],
  TOO_MUCH_WAITS: [Code.Unavailable, 'more waits than can be done in time'],
  STOPPING: [Code.Unavailable, 'the process is stopping: go on at another from the last cursor'],
  OVERLOADED: [Code.Unavailable, 'more payments are asked for than can be prompted in time'],
  STARTING: [Code.Unavailable, 'the process is starting'],
  NOT_KEPT: [Code.Unavailable, 'the callback could not be made durable'],
  DEADLINE_EXCEEDED: [
    Code.DeadlineExceeded,
    'the deadline of the call passed; whether the work was done is unknown',
  ],

  INTERNAL: [Code.Internal, 'a defect of the gateway: its log has the request id'],
} as const satisfies Record<string, readonly [Code, string]>

export type Reason = keyof typeof REASONS

/**
 * The error of a call that failed for `reason`: with its code and, as details, `google.rpc.ErrorInfo`, `RetryInfo` where
 * it is known when to ask again, and `BadRequest` (and our own `FieldViolation`) where a field is wrong. The metadata
 * `retry-after` (seconds) says the same to whoever reads no details.
 */
export const failure = (
  reason: Reason,
  message: string,
  more: {
    retryAfterSeconds?: number
    field?: { name: string; problem: string }
    /** What else programs may read of it. */
    metadata?: Record<string, string>
    cause?: unknown
  } = {},
): ConnectError => {
  const { retryAfterSeconds, field, metadata = {}, cause } = more
  const error = new ConnectError(
    message,
    REASONS[reason][0],
    retryAfterSeconds === undefined ? undefined : { 'retry-after': String(retryAfterSeconds) },
    [
      { desc: ErrorInfoSchema, value: { reason, domain: ERROR_DOMAIN, metadata } },
      ...(retryAfterSeconds === undefined ? [] : [retryInfo(retryAfterSeconds)]),
      ...(field === undefined ? [] : wrongFieldDetails(field, message)),
    ],
    cause,
  )
  return error
}

const retryInfo = (seconds: number) => ({
  desc: RetryInfoSchema,
  value: { retryDelay: { seconds: BigInt(Math.ceil(seconds)) } },
})

const wrongFieldDetails = ({ name, problem }: { name: string; problem: string }, description: string) => [
  { desc: BadRequestSchema, value: { fieldViolations: [{ field: name, description }] } },
  { desc: FieldViolationSchema, value: { field: name, problem } },
]
