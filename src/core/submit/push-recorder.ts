import type { Database } from '../../database/connect.ts'
import { retryWhileUnavailable } from '../../database/retry-while-unavailable.ts'
import { runRows } from '../../database/run-rows.ts'
import { createBatcher } from '../../runtime/batch.ts'
import type { Log } from '../../runtime/log.ts'
import type { CoreMetrics } from '../metrics.ts'
import { reportFindings, reportSettlements } from '../settle/report-settlements.ts'
import { type Pushed, recordPushes } from './record-pushes.ts'

/** After `last`, for how long records still wait for a Postgres that is away, ms. */
const LAST_RECORDING_MS = 60_000

/**
 * Records outcomes, many in one transaction. An outcome is known to nobody else, so its record is tried for as long as Postgres
 * is away; once `last` was called, for a minute more.
 */
export const createPushRecorder = (options: {
  database: Database
  reconcileAfterMs: number
  nowMs: () => number
  random: () => number
  log: Log
  metrics: CoreMetrics
  onSettled: () => void
}) => {
  const { database, reconcileAfterMs, random, log, metrics, nowMs, onSettled } = options
  let untilMs = Number.POSITIVE_INFINITY
  const batcher = createBatcher<Pushed, void>({
    maxItems: 200,
    maxRunning: 2,
    maxWaiting: 10_000,
    run: (all) =>
      runRows(all, async (pushes) => {
        const { settlements, findings } = await recordPushes({ database, reconcileAfterMs, random, pushes })
        reportSettlements({ log, metrics }, settlements)
        reportFindings({ log, metrics }, findings)
        if (settlements.length > 0) onSettled()
        return pushes.map(() => undefined)
      }),
  })

  const add = (pushed: Pushed): Promise<void> =>
    retryWhileUnavailable(() => batcher.add(pushed), { isOver: (pauseMs) => nowMs() + pauseMs > untilMs })

  const last = (): void => {
    untilMs = nowMs() + LAST_RECORDING_MS
  }

  return { add, last }
}
