import { setTimeout as pause } from 'node:timers/promises'
import { isOutage } from './outage.ts'

/** The pause after the first try, and the longest, ms. */
const FIRST_PAUSE_MS = 50
const LONGEST_PAUSE_MS = 2_000

/**
 * Runs `work` until it succeeds, again after a growing pause each time Postgres is away. `work` must be safe to repeat,
 * for a commit whose answer was lost may have taken place. Rejects at once with what is no outage, and with the outage
 * after which `isOver` says so; `signal` ends a pause, and rejects.
 */
export const retryWhileUnavailable = async <Result>(
  work: () => Promise<Result>,
  options: {
    /** Given the pause before the next try, ms: true when there is to be none. */
    isOver: (pauseMs: number) => boolean
    signal?: AbortSignal
  },
): Promise<Result> => {
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
    try {
      return await work()
    } catch (error) {
      if (!isOutage(error) || options.isOver(pauseMs)) throw error
      await pause(pauseMs, undefined, options.signal && { signal: options.signal })
    }
  }
}

/** For `isOver`: true once the next try would begin more than `forMs` from now. */
export const overAfter = (forMs: number): ((pauseMs: number) => boolean) => {
  const untilMs = performance.now() + forMs
  return (pauseMs) => performance.now() + pauseMs > untilMs
}
