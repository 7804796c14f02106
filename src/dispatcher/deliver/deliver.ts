import type { Database } from '../../database/connect.ts'
import { type Batcher, createBatcher } from '../../runtime/batch.ts'
import { crashPoint } from '../../runtime/crash-point.ts'
import type { Log } from '../../runtime/log.ts'
import { isRealId, isTestId, OPERATORS_ID, partnerIdOf } from '../../values/test-partner.ts'
import type { DispatcherMetrics } from '../metrics.ts'
import type { Reporter } from '../report.ts'
import type { RetryUntilStopped } from '../retry-until-stopped.ts'
import type { DispatcherTraces } from '../traces.ts'
import {
  type Claim,
  claimDeliveries,
  type FinishedAttempt,
  type Recorded,
  recordAttempts,
} from './attempts.ts'
import type { DueDelivery } from './fair-queue.ts'
import { type Plan, planNext } from './plan.ts'
import type { PostRequest, PostResult } from './post.ts'
import type { Signed } from './sign.ts'
import type { Way } from './sink.ts'

/**
 * Makes an attempt if the delivery is due, nobody else's and not to be held; resolves when it is recorded, or there was
 * nothing to do.
 */
export type Deliver = (due: DueDelivery) => Promise<void>

/**
 * Claims and records go to Postgres in batches, so many at once. Fewer than `besideFrom` wait for the next commit
 * instead: under load that took a tenth off what a delivery costs Postgres.
 */
const inBatches = <Item, Result>(
  run: (items: Item[]) => Promise<Result[]>,
  { gatherMs, enough } = { gatherMs: 0, enough: 256 },
): Batcher<Item, Result> =>
  createBatcher({ maxItems: 256, maxRunning: 2, maxWaiting: 20_000, besideFrom: 64, gatherMs, enough, run })

/**
 * Nobody waits for a record but the slot of its attempt, and the statement costs as much as twenty records: they
 * gather, until they are as many as an endpoint has slots by default.
 */
const RECORDS_GATHER = { gatherMs: 20, enough: 32 }

/**
 * One attempt, from its claim to its record: claimed and written down as started (committed), signed, posted, planned,
 * recorded (committed). Should the process die between the two commits, the lease runs out and the attempt is seen as
 * one whose outcome is unknown. Both commits are repeated while Postgres is away.
 */
export const createDeliver = (options: {
  database: Database
  /** How a delivery goes out. */
  wayOf: (claim: Claim) => Way
  retryUntilStopped: RetryUntilStopped
  scheduleMs: readonly number[]
  random: () => number
  metrics: DispatcherMetrics
  reporter: Reporter
  traces?: DispatcherTraces | undefined
  /** Is given what an attempt says of its endpoint, once it is recorded. Must not throw. */
  recordOutcome: (claim: Claim, result: PostResult) => void
  log: Log
}): Deliver => {
  const { database, wayOf, retryUntilStopped, scheduleMs, random, metrics, reporter, log } = options
  const claims = inBatches<bigint, Claim | null>(async (ids) => {
    const claimed = await retryUntilStopped(() => claimDeliveries(database, ids))
    const unclaimed = new Map(claimed.map((claim) => [claim.id, claim]))
    return ids.map((id) => takeOut(unclaimed, id))
  })
  const records = inBatches<FinishedAttempt, Recorded>(
    (attempts) => retryUntilStopped(() => recordAttempts(database, attempts)),
    RECORDS_GATHER,
  )

  const post = async (claim: Claim): Promise<PostResult> => {
    const { url, sign, poster } = wayOf(claim)
    const signed = await sign(claim)
    if (signed.kind === 'impossible') return NOT_SIGNED
    crashPoint('post.before_send')
    const result = await poster.post(toRequest(claim, url, signed))
    crashPoint('post.after_send')
    return result
  }

  return async (due) => {
    const traced = options.traces?.delivering(due)
    const claim = await claims.add(due.delivery_id)
    if (claim === null) return
    if (claim.is_after_lost) {
      if (isRealId(claim.partner_id)) metrics.lost()
      log.warn({
        event: 'attempt_outcome_unknown',
        delivery_id: Number(claim.id),
        attempt: claim.attempts - 1,
      })
    }
    traced?.posting()
    const result = await post(claim)
    traced?.posted()
    const { attempts, schedule_from } = claim
    const plan = planNext({ scheduleMs, attempts, schedule_from, result, random: random() })
    const recorded = await records.add({ claim, result, plan })
    if (isRealId(claim.partner_id)) metrics.attempted(plan, result)
    log.info(describe(claim, result, plan, recorded))
    traced?.ended({ claim, result, plan })
    if (recorded.isCurrent) reporter.attempted(claim, plan, result.errorClass)
    options.recordOutcome(claim, result)
  }
}

/** The result of an attempt that could not be signed: an error of ours, and repeated like any other. */
const NOT_SIGNED: PostResult = {
  status: null,
  errorClass: 'not_signed',
  retryAfterMs: null,
  durationMs: 0,
  address: null,
  answer: null,
}

/** Two messages for one delivery can meet in a batch: only one of them gets its claim. */
const takeOut = (unclaimed: Map<bigint, Claim>, id: bigint): Claim | null => {
  const claim = unclaimed.get(id) ?? null
  unclaimed.delete(id)
  return claim
}

/** Our own part of a delivery travels in headers (Standard Webhooks): the body is the partner guide's, to the byte. */
const toRequest = (claim: Claim, url: string, signed: Signed): PostRequest => ({
  url,
  headers: {
    'content-type': 'application/json',
    'user-agent': 'mpesa-gateway',
    'webhook-id': claim.webhook_id,
    'webhook-timestamp': String(Math.floor(claim.started_at.getTime() / 1000)),
    'webhook-attempt': String(claim.attempts),
    ...(signed.kind === 'signed' && { 'webhook-signature': signed.signature }),
    ...(isTestId(claim.partner_id) && { 'x-gateway-test': 'payment' }),
  },
  body: claim.body,
})

/** One wide line an attempt; of the URL the host alone, for its path can be a secret. */
const describe = (
  claim: Claim,
  result: PostResult,
  plan: Plan,
  recorded: Recorded,
): Record<string, unknown> => ({
  event: 'delivery_attempted',
  delivery_id: Number(claim.id),
  payment_id: Number(claim.payment_id),
  partner_id: Number(partnerIdOf(claim.partner_id)),
  test: isTestId(claim.partner_id) || undefined,
  signal: claim.partner_id === OPERATORS_ID || undefined,
  attempt: claim.attempts,
  host: claim.host,
  status: result.status,
  error_class: result.errorClass,
  duration_ms: result.durationMs,
  outcome: recorded.isCurrent ? plan.kind : 'superseded',
  next: recorded.nextAttemptAt,
})
