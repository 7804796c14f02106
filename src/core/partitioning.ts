import type { Database } from '../database/connect.ts'
import { forgetOldMonths } from '../database/forget-months.ts'
import { isOutage } from '../database/outage.ts'
import { ensurePartitions } from '../database/partitions.ts'
import type { Log } from '../runtime/log.ts'
import { type Loop, startLoop } from '../runtime/loop.ts'

const EVERY_MS = 3_600_000

/** When it is tried again after a table was in use for too long, ms. */
const AGAIN_MS = 60_000

/** For how many days at least the rows of a table by month are kept. */
type KeepDays = { attempts: number; callbacks: number }

/**
 * Makes the partitions that are needed next, and drops those that are kept for long enough: every hour, on every
 * replica.
 */
export const startPartitioning = (options: { database: Database; keepDays: KeepDays; log: Log }): Loop => {
  let isPutOff = false
  return startLoop({
    name: 'partitions',
    idleMs: EVERY_MS,
    round: async () => {
      const isMade = await ensurePartitions(options.database)
      if (!isMade && !isPutOff) options.log.warn({ event: 'partitions_put_off' })
      isPutOff = !isMade
      for (const table of ['attempts', 'callbacks'] as const) {
        const keepDays = options.keepDays[table]
        for (const partition of await forgetOldMonths({ database: options.database, table, keepDays }))
          options.log.info({ event: 'partition_dropped', partition, keep_days: keepDays })
      }
      return isMade ? false : AGAIN_MS
    },
    isOutage,
    log: options.log,
  })
}
