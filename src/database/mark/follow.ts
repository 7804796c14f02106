import type { Log } from '../../runtime/log.ts'
import { startLoop } from '../../runtime/loop.ts'
import type { Database } from '../connect.ts'
import type { NumberGuard } from './number-guard.ts'

/** How often a process looks at what others draw, ms: then its mark is fresh also when it draws nothing itself. */
const LOOK_EVERY_MS = 1_000

/**
 * How often it writes what it knows without a look, ms: then a second is the most that a kill can take from its mark.
 */
const WRITE_EVERY_MS = 1_000

/** What lets a mark follow. */
export type Following = {
  /** Resolves once the mark says all that is known, and nothing follows any more. */
  stop(): Promise<void>
}

/**
 * Lets the mark follow the database, and what this process commits there: that is written in an outage too, which may
 * be the moment in which a copy takes the database's place. Whatever goes wrong, payments go on.
 */
export const startFollowing = (options: { database: Database; guard: NumberGuard; log: Log }): Following => {
  const { guard, log } = options
  const looking = startLoop({
    name: 'mark',
    idleMs: LOOK_EVERY_MS,
    round: async () => {
      await guard.check(options.database)
      return false
    },
    isOutage: () => true,
    log,
  })
  const writing = startLoop({
    name: 'mark_written',
    idleMs: WRITE_EVERY_MS,
    round: async () => {
      await guard.flush()
      return false
    },
    isOutage: () => true,
    log,
  })
  return {
    stop: async () => {
      const looked = looking.stop()
      await writing.stop()
      // Before the last look has ended: a database that does not answer can keep it for longer than a process may take
      // to end.
      await guard.flush()
      await looked
    },
  }
}
