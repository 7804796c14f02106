import type { Database } from '../database/connect.ts'
import { warnOfLostCommits } from '../database/connect.ts'
import type { DatabaseClock } from '../database/database-clock.ts'
import type { NumberGuard } from '../database/mark/number-guard.ts'
import { retryWhileUnavailable } from '../database/retry-while-unavailable.ts'
import type { Log } from '../runtime/log.ts'
import { requireSchema } from './database.ts'

/**
 * Waits for a database that is away, however long: callbacks are taken meanwhile, and a process that ended would not
 * take them. False when it was asked to stop first. Throws when the schema is not that of this release.
 */
export const untilDatabase = async (options: {
  database: Database
  guard: NumberGuard
  time: DatabaseClock
  stopRequested: Promise<string>
  log: Log
}): Promise<boolean> => {
  const { database, log } = options
  const waiting = new AbortController()
  void options.stopRequested.then(() => waiting.abort())
  let isReported = false
  const look = async (): Promise<void> => {
    try {
      await requireSchema(database)
      await options.guard.check(database)
      await options.time.ask(database)
      await warnOfLostCommits(database, log)
    } catch (error) {
      if (!isReported) log.warn({ event: 'database_awaited', err: error })
      isReported = true
      throw error
    }
  }
  try {
    await retryWhileUnavailable(look, { isOver: () => false, signal: waiting.signal })
    return true
  } catch (error) {
    if (waiting.signal.aborted) return false
    throw error
  }
}
