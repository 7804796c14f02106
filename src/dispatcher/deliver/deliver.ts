import type { Database } from '../../database/connect.ts'
import { createBatcher } from '../../runtime/batch.ts'
import { crashPoint } from '../../runtime/crash-point.ts'
import type { Log } from '../../runtime/log.ts'
import type { DispatcherMetrics } from '../metrics.ts'
import type { Signals } from '../report.ts'
import type { RetryUntilStopped } from '../retry-until-stopped.ts'
import { type Claim, claimDeliveries } from './claim.ts'
import { type Plan, planNext } from './plan.ts'
import type { Poster, PostRequest, PostResult } from './post.ts'
import { type FinishedAttempt, type Recorded, recordAttempts } from './record.ts'
import type { Sign, Signed } from './sign.ts'

export type Deliverer = {
  /**
   * Makes an attempt if the delivery is due, nobody else's and not to be held; resolves when it is recorded, or there was
   * nothing to do.
   */
  deliverIfDue(deliveryId: bigint): Promise<void>
}

/**
 * Claims and records go to Postgres in batches, so many at once. Fewer than `besideFrom` wait for the next commit instead:
 * under load that took a tenth off what a delivery costs Postgres.
 */
const BATCHES = { maxItems: 256, maxRunning: 2, maxWaiting: 20_000, besideFrom: 64 }

/**
 * One attempt, from its claim to its record: claimed and written down as started (committed), posted, planned, recorded
 * (committed). Should the process die between the two commits, the lease runs out and the attempt is seen as one whose outcome
 * is unknown. Both retryUntilStopped an outage of Postgres.
 */
export const createDeliverer = (options: {
  database: Database
  poster: Poster
  sign: Sign
  retryUntilStopped: RetryUntilStopped
  scheduleMs: readonly number[]
  random: () => number
  metrics: DispatcherMetrics
  signals: Signals
  /** Hears what an attempt says of its endpoint, once it is recorded. Must not throw. */
  noteOutcome: (claim: Claim, result: PostResult) => void
  log: Log
}): Deliverer => {
  const claims = createBatcher<bigint, Claim | null>({
    ...BATCHES,
    run: async (ids) => {
      const claimed = await options.retryUntilStopped(() => claimDeliveries(options.database, ids))
      const unclaimed = new Map(claimed.map((claim) => [claim.deliveryId, claim]))
      return ids.map((id) => takeOut(unclaimed, id))
    },
  })
  const records = createBatcher<FinishedAttempt, Recorded>({
    ...BATCHES,
    run: (attempts) => options.retryUntilStopped(() => recordAttempts(options.database, attempts)),
  })

  const post = async (claim: Claim): Promise<PostResult> => {
    const signed = await options.sign(claim)
    if (signed.kind === 'impossible') return NOT_SIGNED
    crashPoint('post.before_send')
    const result = await options.poster.post(toRequest(claim, signed))
    crashPoint('post.after_send')
    return result
  }

  const deliver = async (claim: Claim): Promise<void> => {
    if (claim.isAfterLost) reportLost(options, claim)
    const result = await post(claim)
    const plan = planNext({ ...options, ...claim, result, random: options.random() })
    const recorded = await records.add({ claim, result, plan })
    options.metrics.attempted({ plan, ...result })
    options.log.info(describe({ claim, result, plan }, recorded))
    if (recorded.isCurrent) options.signals.attempted(claim, plan, result.errorClass)
    options.noteOutcome(claim, result)
  }

  const deliverIfDue = async (deliveryId: bigint): Promise<void> => {
    const claim = await claims.add(deliveryId)
    if (claim !== null) await deliver(claim)
  }

  return { deliverIfDue }
}

/** What became of an attempt that could not be signed: our fault, and tried again like any other. */
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
const toRequest = (claim: Claim, signed: Signed): PostRequest => ({
  url: claim.callbackUrl,
  headers: {
    'content-type': 'application/json',
    'user-agent': 'mpesa-gateway',
    'webhook-id': claim.webhookId,
    'webhook-timestamp': String(Math.floor(claim.startedAt.getTime() / 1000)),
    'webhook-attempt': String(claim.attempt),
    ...(signed.kind === 'signed' && { 'webhook-signature': signed.signature }),
  },
  body: claim.body,
})

const reportLost = (options: { metrics: DispatcherMetrics; log: Log }, claim: Claim): void => {
  options.metrics.lost()
  options.log.warn({
    event: 'attempt_outcome_unknown',
    delivery_id: Number(claim.deliveryId),
    attempt: claim.attempt - 1,
  })
}

/** One wide line an attempt; of the URL the host alone, for its path can be a secret. */
const describe = (
  { claim, result, plan }: { claim: Claim; result: PostResult; plan: Plan },
  recorded: Recorded,
): Record<string, unknown> => ({
  event: 'delivery_attempted',
  delivery_id: Number(claim.deliveryId),
  payment_id: Number(claim.paymentId),
  partner_id: Number(claim.partnerId),
  attempt: claim.attempt,
  host: claim.host,
  status: result.status,
  error_class: result.errorClass,
  duration_ms: result.durationMs,
  outcome: recorded.isCurrent ? plan.kind : 'superseded',
  next: recorded.nextAttemptAt,
})
