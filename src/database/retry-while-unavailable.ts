import { setTimeout as pause } from 'node:timers/promises'
import { isOutage } from './outage.ts'

/** The longest pause between two tries, ms. */
const MAX_PAUSE_MS = 2_000

/**
 * Runs `work` until it succeeds, again after a growing pause each time Postgres is away, for at most `forMs`. `work` must be
 * safe to repeat, for a commit whose answer was lost may have taken place. Rejects with the last outage, or at once with any
 * other error. `signal` ends the waiting.
 */
export const retryWhileUnavailable = async <Result>(
  forMs: number,
  work: () => Promise<Result>,
  signal?: AbortSignal,
): Promise<Result> => {
  const untilMs = performance.now() + forMs
  for (let pauseMs = 50; ; pauseMs = Math.min(pauseMs * 2, MAX_PAUSE_MS)) {
    try {
      return await work()
    } catch (error) {
      if (!isOutage(error) || performance.now() + pauseMs > untilMs) throw error
      await pause(pauseMs, undefined, { ...(signal && { signal }) })
    }
  }
}
