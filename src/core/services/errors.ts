import { Code, ConnectError } from '@connectrpc/connect'
import { isOutage } from '../../database/outage.ts'
import { FieldViolationSchema } from '../../gen/mpesa/gateway/v1/errors_pb.js'
import { BatchQueueFull } from '../../runtime/batch.ts'

/** INVALID_ARGUMENT that names the field and says what would be right, in the message and as a detail. */
export const invalidField = (field: string, problem: string): ConnectError =>
  new ConnectError(`${field} ${problem}`, Code.InvalidArgument, undefined, [
    { desc: FieldViolationSchema, value: { field, problem } },
  ])

/** What a caller waits before it asks again, seconds. */
const RETRY_AFTER_SECONDS = '1'

/**
 * Runs the work of a method and turns what passes into UNAVAILABLE with `retry-after`: the database away, or too much waiting.
 * Whether the work was done is then unknown to the caller. Other errors are thrown as they are.
 */
export const orUnavailable = async <Result>(work: () => Promise<Result>): Promise<Result> => {
  try {
    return await work()
  } catch (error) {
    if (error instanceof BatchQueueFull) throw unavailable('too many requests wait', error)
    if (isOutage(error)) throw unavailable('the database is away', error)
    throw error
  }
}

const unavailable = (what: string, cause: unknown): ConnectError =>
  new ConnectError(
    `${what}: repeat the request with the same idempotency key`,
    Code.Unavailable,
    { 'retry-after': RETRY_AFTER_SECONDS },
    undefined,
    cause,
  )
