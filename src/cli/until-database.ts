import type { Database } from '../database/connect.ts'
import { warnOfLostCommits } from '../database/connect.ts'
import type { DatabaseClock } from '../database/database-clock.ts'
import type { NumberGuard } from '../database/mark/number-guard.ts'
import { isOutage } from '../database/outage.ts'
import { overAfter, retryWhileUnavailable } from '../database/retry-while-unavailable.ts'
import type { Log } from '../runtime/log.ts'
import { requireSchema } from './database.ts'

/**
 * Waits for a database that is away, however long: callbacks are taken meanwhile, and a process that ended would not
 * take them. False when it was asked to stop first. Throws when the schema is not that of this release.
 */
export const untilDatabase = (options: {
  database: Database
  guard: NumberGuard
  time: DatabaseClock
  stopRequested: Promise<string>
  log: Log
}): Promise<boolean> => {
  const { database, guard, time, stopRequested, log } = options
  const look = async (): Promise<void> => {
    await requireSchema(database)
    await guard.check(database)
    await time.ask(database)
    await warnOfLostCommits(database, log)
  }
  return untilFound({ look, isOver: () => false, stopRequested, log })
}

/** How long a process that takes no callbacks waits at its start, ms. */
const PATIENCE_MS = 60_000

/**
 * Waits a minute for a database that is away, and rejects then with why it is. False when the process was asked to stop
 * first.
 */
export const untilDatabaseInTime = ({
  look,
  stopRequested,
  log,
}: {
  look: () => Promise<void>
  stopRequested: Promise<string>
  log: Log
}): Promise<boolean> => untilFound({ look, isOver: overAfter(PATIENCE_MS), stopRequested, log })

/** Looks again and again while Postgres is away, and says so once in the log. */
const untilFound = async (options: {
  look: () => Promise<void>
  isOver: (pauseMs: number) => boolean
  stopRequested: Promise<string>
  log: Log
}): Promise<boolean> => {
  const { log, isOver } = options
  const waiting = new AbortController()
  void options.stopRequested.then(() => waiting.abort())
  let isReported = false
  const look = async (): Promise<void> => {
    try {
      await options.look()
    } catch (error) {
      if (!isReported && isOutage(error)) {
        log.warn({ event: 'database_awaited', err: error })
        isReported = true
      }
      throw error
    }
  }
  try {
    await retryWhileUnavailable(look, { isOver, signal: waiting.signal })
    return true
  } catch (error) {
    if (waiting.signal.aborted) return false
    throw error
  }
}
