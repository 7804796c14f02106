import type { RowOf } from '../../database/schema/schema.ts'
import type { PostResult } from '../deliver/post.ts'

// The breaker of an endpoint. Its state is in Postgres, so that all dispatchers share it; what an attempt's outcome
// does to it is decided here, and what time does to it, in release.ts:
//
//   closed     attempts pass. After 5 failures in a row: open.
//   open       nothing passes: what is due is held. When its time has passed: half open.
//   half_open  one held delivery passes, the probe. It succeeds: ramping; it fails: open, for twice as long. Its URL
//              alone is gone: another passes at once.
//   ramping    attempts pass, and held deliveries are released at a growing rate. Failures slow it down, 5 in a row
//   open it again.
//              When none is held any more: closed, and forgotten.

/** Failures in a row that open an endpoint. */
export const MOST_FAILURES = 5

/** For how long it is open the first time, and at most, ms; doubled each time. */
const FIRST_OPEN_MS = 5_000
const LONGEST_OPEN_MS = 5 * 60_000

/** Up to so much longer, so that endpoints that went down together are not asked together. */
const JITTER = 0.2

/** Held deliveries that are released a second: after a failure, after a flood alone, and at most. */
export const FIRST_RELEASE = 1
export const FLOOD_RELEASE = 64
export const MOST_RELEASE = 1_000

/** The breaker of one endpoint, as far as outcomes change it. */
export type Breaker = RowOf<
  'endpoints',
  'state' | 'failures' | 'opens' | 'probe_delivery_id' | 'release_per_second'
>

/** What one attempt says of its endpoint; `gone`: as little as `nothing`, but that another attempt may say more. */
export type Verdict = 'works' | 'fails' | 'gone' | 'nothing'

/** What outcomes did to a breaker; `openMs` where it opened just now: for how long. */
export type Judged = { breaker: Breaker; openMs: number | null }

const GONE = 410

/**
 * What an attempt says of its endpoint. Nothing, when it failed for a reason of ours; nor when the endpoint answered
 * that this one delivery's URL is gone.
 */
export const verdictOf = (result: Pick<PostResult, 'errorClass' | 'status'>): Verdict => {
  if (result.errorClass === null) return 'works'
  if (result.errorClass === 'not_signed') return 'nothing'
  return result.status === GONE ? 'gone' : 'fails'
}

/** In the place of a probe that said nothing: the next one is due. No delivery has this id. */
export const NO_PROBE = 0n

/** A breaker that has counted no failure. */
export const CLOSED: Breaker = {
  state: 'closed',
  failures: 0,
  opens: 0,
  probe_delivery_id: null,
  release_per_second: null,
}

/** Whether a breaker is the one of an endpoint without a row. */
export const isWell = (breaker: Breaker): boolean => breaker.state === 'closed' && breaker.failures === 0

/**
 * Decides what an outcome does to the breaker of its endpoint: the same breaker when nothing. `random` is from 0 up to
 * 1.
 */
export const judge = (
  breaker: Breaker,
  outcome: { delivery_id: bigint; verdict: Verdict },
  random: number,
): Judged => {
  const { verdict } = outcome
  const isSuccess = verdict === 'works'
  if (verdict === 'nothing' || (verdict === 'gone' && breaker.state !== 'half_open'))
    return { breaker, openMs: null }
  switch (breaker.state) {
    case 'open':
      return { breaker, openMs: null }
    case 'half_open':
      // Attempts from before it opened still end now: they say nothing of whether it is back.
      if (breaker.probe_delivery_id !== outcome.delivery_id) return { breaker, openMs: null }
      if (verdict === 'gone') return { breaker: { ...breaker, probe_delivery_id: NO_PROBE }, openMs: null }
      return isSuccess ? { breaker: ramp(breaker), openMs: null } : open(breaker, random)
    case 'closed':
    case 'ramping': {
      if (isSuccess) return { breaker: succeed(breaker), openMs: null }
      const failed = { ...breaker, failures: breaker.failures + 1 }
      return failed.failures < MOST_FAILURES
        ? { breaker: slowDown(failed), openMs: null }
        : open(failed, random)
    }
    default:
      return breaker.state satisfies never
  }
}

const open = (breaker: Breaker, random: number): Judged => ({
  breaker: { ...CLOSED, state: 'open', failures: breaker.failures, opens: breaker.opens + 1 },
  openMs: Math.min(FIRST_OPEN_MS * 2 ** breaker.opens, LONGEST_OPEN_MS) * (1 + JITTER * random),
})

/** With the first success an endpoint is healthy; one that is ramping goes on. */
const succeed = (breaker: Breaker): Breaker => {
  if (breaker.state === 'closed') return breaker.failures === 0 && breaker.opens === 0 ? breaker : CLOSED
  return breaker.failures === 0 ? breaker : { ...breaker, failures: 0 }
}

const ramp = (breaker: Breaker): Breaker => ({
  ...CLOSED,
  state: 'ramping',
  opens: breaker.opens,
  release_per_second: FIRST_RELEASE,
})

/** Halves the rate of a ramp. */
export const slowDown = (breaker: Breaker): Breaker => ({
  ...breaker,
  release_per_second:
    breaker.release_per_second === null ? null : Math.max(FIRST_RELEASE, breaker.release_per_second / 2),
})
