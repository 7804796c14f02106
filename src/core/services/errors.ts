import { Code, ConnectError, type HandlerContext } from '@connectrpc/connect'
import { isOutage } from '../../database/outage.ts'
import { FieldViolationSchema } from '../../gen/mpesa/gateway/v1/errors_pb.js'
import { BatchQueueFull } from '../../runtime/batch.ts'
import { requestIdOf } from '../../runtime/call-context.ts'
import type { Log } from '../../runtime/log.ts'
import { Refused } from './refused.ts'

/** INVALID_ARGUMENT that names the field and says what would be right, in the message and as a detail. */
export const invalidField = (field: string, problem: string): ConnectError =>
  new ConnectError(`${field} ${problem}`, Code.InvalidArgument, undefined, [
    { desc: FieldViolationSchema, value: { field, problem } },
  ])

/** What a caller waits before it asks again, seconds. */
const RETRY_AFTER_SECONDS = '1'

/**
 * Runs the work of a method and decides what its caller may be told of a failure. What passes (the database away, too much
 * waiting) is UNAVAILABLE with `retry-after`, and whether the work was done is then unknown. A defect is INTERNAL and tells
 * nothing of the inside; its cause goes to the log. A ConnectError is told as it is, `Refused` with the code of its kind.
 */
export const withErrorMapping = async <Result>(
  log: Log,
  context: HandlerContext,
  work: () => Promise<Result>,
): Promise<Result> => {
  try {
    return await work()
  } catch (error) {
    if (error instanceof ConnectError) throw error
    if (error instanceof Refused) throw toConnectError(error)
    if (error instanceof BatchQueueFull) throw unavailable('too many requests wait', error)
    if (isOutage(error)) throw unavailable('the database is away', error)
    log.error({
      event: 'call_failed',
      method: context.method.name,
      request_id: requestIdOf(context),
      err: error,
    })
    throw new ConnectError('internal error', Code.Internal, undefined, undefined, error)
  }
}

const CODES: Readonly<Record<Refused['kind'], Code>> = {
  wrong_field: Code.InvalidArgument,
  not_found: Code.NotFound,
  not_possible: Code.FailedPrecondition,
}

const toConnectError = ({ kind, message, wrong }: Refused): ConnectError =>
  wrong === null ? new ConnectError(message, CODES[kind]) : invalidField(wrong.field, wrong.problem)

const unavailable = (what: string, cause: unknown): ConnectError =>
  new ConnectError(
    `${what}: repeat the request with the same idempotency key`,
    Code.Unavailable,
    { 'retry-after': RETRY_AFTER_SECONDS },
    undefined,
    cause,
  )
