import type { Database } from '../../database/connect.ts'
import { isOutage } from '../../database/outage.ts'
import type { Log } from '../../runtime/log.ts'
import { type Loop, startLoop } from '../../runtime/loop.ts'
import type { Offer } from '../deliver/fair-queue.ts'
import { NO_DELIVERY, type Signals } from '../report.ts'
import { rampLeftover } from './find-leftover.ts'
import { ENDPOINTS_A_ROUND, releaseDue } from './release.ts'

/** How often it is looked for what has become due, ms: a fraction of a step of a ramp. */
const IDLE_MS = 100

/** How often it is looked for what is held and forgotten, ms. */
const LEFTOVER_MS = 1_000

/** Does what time brings to endpoints that are down, or were: probes them, and lets go what is held for them. */
export const startReleasing = (options: {
  database: Database
  offer: (given: Offer) => unknown
  signals: Signals
  nowMs: () => number
  log: Log
}): Loop => {
  let leftoverAtMs = options.nowMs()

  const round = async (): Promise<boolean> => {
    if (options.nowMs() >= leftoverAtMs) {
      leftoverAtMs = options.nowMs() + LEFTOVER_MS
      for (const endpoint of await rampLeftover(options.database))
        options.signals.endpoint({ ...endpoint, to: 'ramping', cause: 'leftover', ...NO_DELIVERY })
    }
    const { offers, changes } = await releaseDue(options.database)
    for (const change of changes) options.signals.endpoint(change)
    for (const offer of offers) options.offer(offer)
    return offers.length >= ENDPOINTS_A_ROUND
  }
  return startLoop({ name: 'release', idleMs: IDLE_MS, round, isOutage, log: options.log })
}
