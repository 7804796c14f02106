import { isOutage } from '../database/outage.ts'
import { overAfter, retryWhileUnavailable } from '../database/retry-while-unavailable.ts'
import type { Log } from '../runtime/log.ts'

/** Runs work on Postgres until it succeeds, however long Postgres is away. The work must be safe to repeat. */
export type RetryUntilStopped = <Result>(work: () => Promise<Result>) => Promise<Result>

/** How long an outage lasts before it is logged, and how often `giveUp` is looked at, ms. */
const LOGGED_AFTER_MS = 2_000

/**
 * Retries during outages until `giveUp` is aborted: then the next outage is thrown. Logs, once for all work that
 * waits, that Postgres is away and that it is back.
 */
export const createRetryUntilStopped = (options: { giveUp: AbortSignal; log: Log }): RetryUntilStopped => {
  let isAway = false
  const reportAvailable = (): void => {
    if (isAway) options.log.info({ event: 'database_back' })
    isAway = false
  }
  const reportUnavailable = (error: unknown): void => {
    if (!isAway) options.log.warn({ event: 'database_away', err: error })
    isAway = true
  }
  return async (work) => {
    for (;;) {
      try {
        const result = await retryWhileUnavailable(work, { isOver: overAfter(LOGGED_AFTER_MS) })
        reportAvailable()
        return result
      } catch (error) {
        if (!isOutage(error) || options.giveUp.aborted) throw error
        reportUnavailable(error)
      }
    }
  }
}
