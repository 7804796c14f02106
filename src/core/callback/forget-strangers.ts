import type { Database } from '../../database/connect.ts'
import { forgetStrangers, forgetStrangersAmongCallbacks } from '../../database/forget-strangers.ts'
import { isOutage } from '../../database/outage.ts'
import type { Log } from '../../runtime/log.ts'
import { type Loop, startLoop } from '../../runtime/loop.ts'
import type { AddressList } from '../../values/address-list.ts'

/** How often, ms. */
const EVERY_MS = 3_600_000

/** Deletes unknown senders' callbacks that were kept for `keepDays` days: every hour, on every replica. */
export const startForgettingStrangers = (options: {
  database: Database
  /** Daraja's addresses. */
  list: AddressList
  keepDays: number
  log: Log
}): Loop =>
  startLoop({
    name: 'forget_strangers',
    idleMs: EVERY_MS,
    round: async () => {
      const callbacks = (await forgetStrangers(options)) + (await forgetStrangersAmongCallbacks(options))
      if (callbacks > 0)
        options.log.info({ event: 'strangers_forgotten', callbacks, keep_days: options.keepDays })
      return false
    },
    isOutage,
    log: options.log,
  })
