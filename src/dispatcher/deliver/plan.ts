import type { RowOf } from '../../database/schema/schema.ts'
import type { PostResult } from './post.ts'

/** What the plan depends on. */
export type AttemptResult = Pick<PostResult, 'status' | 'errorClass' | 'retryAfterMs'>

/** What becomes of a delivery after an attempt. */
export type Plan =
  | { kind: 'delivered' }
  | { kind: 'retry'; delayMs: number }
  | { kind: 'dead'; reason: string }

/** Retries are spread over this part of their pause, so that those that failed together do not come back together. */
const JITTER = 0.2

const DAY_MS = 24 * 60 * 60 * 1000

const GONE = 410

/**
 * Decides what follows an attempt, the latest of `attempts`. `scheduleMs` holds the pause before each attempt: after the
 * last one's failure the delivery is dead. The pause is at least the schedule's step and at least what `Retry-After`
 * asks for, and up to a fifth longer; `random` is from 0 up to 1. A 410 says that the endpoint is gone for good (RFC
 * 9110, 15.5.11).
 */
export const planNext = (
  options: RowOf<'deliveries', 'attempts' | 'schedule_from'> & {
    scheduleMs: readonly number[]
    result: AttemptResult
    random: number
  },
): Plan => {
  const { scheduleMs, attempts, result } = options
  if (result.errorClass === null) return { kind: 'delivered' }
  if (result.status === GONE) return { kind: 'dead', reason: 'the endpoint answered 410 Gone' }
  const stepMs = scheduleMs[attempts - options.schedule_from]
  if (stepMs === undefined) {
    return { kind: 'dead', reason: `attempt ${attempts} was the last and failed: ${describe(result)}` }
  }
  const askedMs = Math.min(result.retryAfterMs ?? 0, longestRetryAfterMs(scheduleMs))
  return { kind: 'retry', delayMs: Math.ceil(Math.max(stepMs, askedMs) * (1 + JITTER * options.random)) }
}

/**
 * `Retry-After` is honoured in full up to the schedule's whole length, or a day where that is shorter: who asks for
 * years is attempted again instead of never.
 */
const longestRetryAfterMs = (scheduleMs: readonly number[]): number =>
  Math.max(
    DAY_MS,
    scheduleMs.reduce((total, stepMs) => total + stepMs, 0),
  )

const describe = (result: AttemptResult): string =>
  result.status === null ? (result.errorClass ?? '') : `${result.errorClass}, HTTP ${result.status}`
