import { Code, ConnectError, type HandlerContext } from '@connectrpc/connect'
import { isOutage } from '../../database/outage.ts'
import { BatchQueueFull } from '../../runtime/batch.ts'
import { requestIdOf, traceIdOf } from '../../runtime/call-context.ts'
import type { Log } from '../../runtime/log.ts'
import { WatchStopped } from '../events/watch-stopped.ts'
import type { TooManyWatchers } from '../events/watcher-limits.ts'
import type { CallingPartner } from '../partners/calling-partner.ts'
import type { LimitReached } from '../request/payer-limits.ts'
import { failure, type Reason } from './failure.ts'
import { Refused } from './refused.ts'

/** INVALID_ARGUMENT that names the field and says what would be right, in the message and as a detail. */
export const invalidField = (field: string, problem: string): ConnectError =>
  failure('FIELD_INVALID', `${field} ${problem}`, { field: { name: field, problem } })

/** NOT_FOUND, for a payment that is another's as for one that is not there. */
export const noSuchPayment = (): ConnectError => failure('NOT_FOUND', 'there is no such payment')

/** Throws INVALID_ARGUMENT for an id that is missing, or no id. */
export const requirePaymentId = (paymentId: bigint): void => {
  if (paymentId < 1n) throw invalidField('payment_id', 'must be a positive whole number')
}

/** What a caller waits before it asks again, seconds. */
const RETRY_AFTER_SECONDS = 1

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
    throw toCallError(log, context, error)
  }
}

/** The same for a method that streams its answer. */
export async function* withStreamErrorMapping<Message>(
  log: Log,
  context: HandlerContext,
  work: () => AsyncIterable<Message>,
): AsyncGenerator<Message> {
  try {
    yield* work()
  } catch (error) {
    throw toCallError(log, context, error)
  }
}

const toCallError = (log: Log, context: HandlerContext, error: unknown): ConnectError => {
  if (error instanceof ConnectError) return withReason(error)
  if (error instanceof Refused) return toConnectError(error)
  if (error instanceof BatchQueueFull) return unavailable('TOO_MUCH_WAITS', 'too many requests wait', error)
  if (error instanceof WatchStopped) return stopped(error)
  if (isOutage(error)) return unavailable('DATABASE_AWAY', 'the database is away', error)
  log.error({
    event: 'call_failed',
    method: context.method.name,
    request_id: requestIdOf(context),
    trace_id: traceIdOf(context),
    err: error,
  })
  return failure('INTERNAL', 'internal error', { cause: error })
}

/** Ours have one; that of a deadline which has passed is the signal's. */
const withReason = (error: ConnectError): ConnectError =>
  error.code === Code.DeadlineExceeded && error.details.length === 0
    ? failure('DEADLINE_EXCEEDED', 'the deadline of the call has passed', { cause: error })
    : error

const stopped = (cause: WatchStopped): ConnectError =>
  failure('STOPPING', `${cause.message}: watch on from your last cursor`, {
    retryAfterSeconds: RETRY_AFTER_SECONDS,
    cause,
  })

const REASON_OF: Readonly<Record<Refused['kind'], Reason>> = {
  wrong_field: 'FIELD_INVALID',
  not_found: 'NOT_FOUND',
  not_possible: 'NOT_POSSIBLE',
  approval_needed: 'APPROVAL_NEEDED',
}

const toConnectError = ({ kind, message, wrong, approvalId }: Refused): ConnectError => {
  if (wrong !== null) return invalidField(wrong.field, wrong.problem)
  return failure(REASON_OF[kind], message, {
    ...(approvalId !== null && { metadata: { approval_id: String(approvalId) } }),
  })
}

const unavailable = (
  reason: 'DATABASE_AWAY' | 'TOO_MUCH_WAITS',
  what: string,
  cause: unknown,
): ConnectError =>
  failure(reason, `${what}: repeat the request with the same idempotency key`, {
    retryAfterSeconds: RETRY_AFTER_SECONDS,
    cause,
  })

/** UNAVAILABLE with `retry-after` (seconds): nothing was stored, unless by a request with the same key. */
export const overloaded = (waitSeconds: number): ConnectError =>
  failure(
    'OVERLOADED',
    `more payments are asked for than can be prompted in time: repeat the request in ${waitSeconds} s with the same idempotency key`,
    { retryAfterSeconds: waitSeconds },
  )

/** RESOURCE_EXHAUSTED with `retry-after` (seconds), which says which limit was reached. */
export const limitReached = (reached: LimitReached, partner: CallingPartner): ConnectError =>
  failure(
    LIMIT_REASON[reached.reason],
    `${describe(reached, partner)}: ask again in ${reached.waitSeconds} s`,
    { retryAfterSeconds: reached.waitSeconds },
  )

const LIMIT_REASON: Readonly<Record<LimitReached['reason'], Reason>> = {
  payer_open: 'PAYER_OPEN',
  payer_hourly: 'PAYER_HOURLY',
  partner_daily: 'PARTNER_DAILY',
}

const describe = ({ reason }: LimitReached, partner: CallingPartner): string => {
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
  failure(
    'TOO_MANY_REQUESTS',
    `you may ask ${perSecond === 1 ? 'once' : `${perSecond} times`} a second: ask again in ${waitSeconds} s, with the same idempotency key if the request had one`,
    { retryAfterSeconds: waitSeconds },
  )

/** How long whoever has too many watchers waits before it tries again, seconds. */
const WATCHERS_RETRY_SECONDS = 30

/** The same for one watcher too many. */
export const tooManyWatchers = ({ reason, limit }: TooManyWatchers): ConnectError =>
  failure(
    'TOO_MANY_WATCHERS',
    reason === 'partner'
      ? `you have ${limit} watchers here, as many as a partner may: end one, or watch all of your payments by one`
      : `this process has ${limit} watchers, as many as it may: try another replica`,
    { retryAfterSeconds: WATCHERS_RETRY_SECONDS },
  )
