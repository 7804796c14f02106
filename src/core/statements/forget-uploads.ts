import type { Database } from '../../database/connect.ts'
import { isOutage } from '../../database/outage.ts'
import type { Log } from '../../runtime/log.ts'
import { type Loop, startLoop } from '../../runtime/loop.ts'
import { forgetOldUploads } from './uploads.ts'

/** How often, ms. */
const EVERY_MS = 3_600_000

/** Deletes statements' files that were handed over and that nobody imported within a day: every hour, on every replica. */
export const startForgettingUploads = (options: { database: Database; log: Log }): Loop =>
  startLoop({
    name: 'forget_uploads',
    idleMs: EVERY_MS,
    round: async () => {
      await forgetOldUploads(options.database)
      return false
    },
    isOutage,
    log: options.log,
  })
