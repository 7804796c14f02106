import type { Log } from '../../runtime/log.ts'
import { type Loop, startLoop } from '../../runtime/loop.ts'
import type { Database } from '../connect.ts'
import type { NumberGuard } from './number-guard.ts'

/** How often a process looks at what others draw, ms: then its mark is fresh also when it draws nothing itself. */
const EVERY_MS = 1_000

/** Lets the mark follow the database. Whatever goes wrong, payments go on. */
export const startFollowing = (options: { database: Database; guard: NumberGuard; log: Log }): Loop =>
  startLoop({
    name: 'mark',
    idleMs: EVERY_MS,
    round: async () => {
      await options.guard.check(options.database)
      return false
    },
    isOutage: () => true,
    log: options.log,
  })
