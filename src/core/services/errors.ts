import { Code, ConnectError, type HandlerContext } from '@connectrpc/connect'
import { isOutage } from '../../database/outage.ts'
import { FieldViolationSchema } from '../../gen/mpesa/gateway/v1/errors_pb.js'
import { BatchQueueFull } from '../../runtime/batch.ts'
import { requestIdOf } from '../../runtime/call-context.ts'
import type { Log } from '../../runtime/log.ts'
import type { CallingPartner } from '../partners/calling-partner.ts'
import type { LimitReached } from '../request/payer-limits.ts'
import { Refused } from './refused.ts'

/** INVALID_ARGUMENT that names the field and says what would be right, in the message and as a detail. */
export const invalidField = (field: string, problem: string): ConnectError =>
  new ConnectError(`${field} ${problem}`, Code.InvalidArgument, undefined, [
    { desc: FieldViolationSchema, value: { field, problem } },
  ])

/** What a caller waits before it asks again, seconds. */
const RETRY_AFTER_SECONDS = '1'

/**
 * Runs the work of a method and decides what its caller may learn of a failure. A passing one (the database away, too
 * much waiting) is UNAVAILABLE with `retry-after`, and whether the work was done is then unknown. A defect is INTERNAL
 * and reveals nothing of the inside; its cause goes to the log. A ConnectError is returned as it is, `Refused` with the
 * code of its kind.
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

/** RESOURCE_EXHAUSTED with `retry-after` (seconds), which says which limit was reached. */
export const limitReached = (reached: LimitReached, partner: CallingPartner): ConnectError =>
  exhausted(`${reasonOf(reached, partner)}: ask again in ${reached.waitSeconds} s`, reached.waitSeconds)

const reasonOf = ({ reason }: LimitReached, partner: CallingPartner): string => {
  switch (reason) {
    case 'payer_open':
      return 'a payment of yours is still open for this payer'
    case 'payer_hourly':
      return 'this payer was asked as often within an hour as you may ask one'
    case 'partner_daily':
      return `more than ${partner.maxDailyKes ?? 0} KES a day is above your limit`
    default:
      return reason satisfies never
  }
}

/** The same for a partner that asks too often. */
export const tooOften = (perSecond: number, waitSeconds: number): ConnectError =>
  exhausted(
    `you may ask ${perSecond === 1 ? 'once' : `${perSecond} times`} a second: ask again in ${waitSeconds} s, with the same idempotency key if the request had one`,
    waitSeconds,
  )

const exhausted = (message: string, waitSeconds: number): ConnectError =>
  new ConnectError(message, Code.ResourceExhausted, { 'retry-after': String(waitSeconds) })
