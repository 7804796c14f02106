import type { Database } from '../../database/connect.ts'
import { isOutage } from '../../database/outage.ts'
import type { Log } from '../../runtime/log.ts'
import type { CoreMetrics } from '../metrics.ts'
import { holdAccount } from './hold.ts'

/** An answer by which Daraja turned something away for the time being. */
export type TurnedAway = { code: string; afterMs: number; concerns: 'this_payer' | 'whole_account' }

/**
 * Leaves the whole account alone for a while when it was the account that was turned away, for all replicas. While Postgres is
 * away nobody is told: nothing can be taken then either.
 */
export const backOff = async (
  options: { database: Database; shortcode: string; log: Log; metrics: CoreMetrics },
  answer: TurnedAway,
): Promise<void> => {
  if (answer.concerns !== 'whole_account') return
  const { database, shortcode, log, metrics } = options
  const forMs = await holdAccount(database, { shortcode, afterMs: answer.afterMs }).catch(
    (error: unknown) => {
      if (isOutage(error)) return null
      throw error
    },
  )
  if (forMs === null) return
  metrics.heldOff()
  log.warn({ event: 'daraja_held_off', shortcode, code: answer.code, for_ms: forMs })
}
