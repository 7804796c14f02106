import type { Database } from '../../database/connect.ts'
import { forgetEndpoints } from '../../database/forget-endpoints.ts'
import { isOutage } from '../../database/outage.ts'
import type { Log } from '../../runtime/log.ts'
import { type Loop, startLoop } from '../../runtime/loop.ts'

/** How often, ms. */
const EVERY_MS = 3_600_000

/** Forgets endpoints that failed once and are used no more: every hour, on every replica. */
export const startForgettingEndpoints = (options: { database: Database; log: Log }): Loop =>
  startLoop({
    name: 'forget_endpoints',
    idleMs: EVERY_MS,
    round: async () => {
      const endpoints = await forgetEndpoints(options.database)
      if (endpoints > 0) options.log.info({ event: 'endpoints_forgotten', endpoints })
      return false
    },
    isOutage,
    log: options.log,
  })
