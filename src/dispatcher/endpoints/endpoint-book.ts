import type { Database } from '../../database/connect.ts'
import { createBatcher } from '../../runtime/batch.ts'
import { endpointKey } from '../../values/endpoint.ts'
import type { Claim } from '../deliver/claim.ts'
import type { PostResult } from '../deliver/post.ts'
import type { Signals } from '../report.ts'
import type { RetryUntilStopped } from '../retry-until-stopped.ts'
import { verdictOf } from './breaker.ts'
import { noteOutcomes, type Outcome } from './record-outcomes.ts'

/** Keeps the breakers of endpoints in step with what becomes of this process's attempts. */
export type EndpointBook = {
  /** Notes what an attempt says of its endpoint, if anything is to be noted; resolves when it is. */
  note(claim: Claim, result: PostResult): Promise<void>
  /** Resolves when everything is noted. */
  drained(): Promise<void>
}

/**
 * Notes go to Postgres in batches, one after the other. A success at an endpoint that is well costs nothing: it is noted only
 * where the claim said, or this process knows, that the endpoint is troubled.
 */
export const createEndpointBook = (options: {
  database: Database
  retryUntilStopped: RetryUntilStopped
  scheduleMs: readonly number[]
  random: () => number
  signals: Signals
}): EndpointBook => {
  const { database, signals } = options
  const longestMs = options.scheduleMs.reduce((total, stepMs) => total + stepMs, 0)
  const troubled = new Set<string>()

  const run = async (outcomes: readonly Outcome[]): Promise<undefined[]> => {
    const noted = await options.retryUntilStopped(() =>
      noteOutcomes({ ...options, database, outcomes, longestMs }),
    )
    for (const outcome of outcomes) troubled.delete(endpointKey(outcome))
    for (const endpoint of noted.troubled) troubled.add(endpointKey(endpoint))
    for (const change of noted.changes) signals.endpoint(change)
    for (const expired of noted.expired) signals.expired(expired)
    return outcomes.map(() => undefined)
  }
  const batches = createBatcher<Outcome, undefined>({
    maxItems: 256,
    maxRunning: 1,
    maxWaiting: 20_000,
    run,
  })

  const note = async (claim: Claim, result: PostResult): Promise<void> => {
    const verdict = verdictOf(result)
    const key = endpointKey(claim)
    if (verdict === 'nothing' || (verdict === 'works' && !claim.isTroubled && !troubled.has(key))) return
    troubled.add(key)
    const { deliveryId, paymentId, partnerId, host } = claim
    await batches.add({ deliveryId, paymentId, partnerId, host, verdict })
  }
  return { note, drained: () => batches.drained() }
}
