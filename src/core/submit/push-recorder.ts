import type { Database } from '../../database/connect.ts'
import { retryWhileUnavailable } from '../../database/retry-while-unavailable.ts'
import { runRows } from '../../database/run-rows.ts'
import { type Batcher, createBatcher } from '../../runtime/batch.ts'
import type { Log } from '../../runtime/log.ts'
import type { CoreMetrics } from '../metrics.ts'
import { reportFindings, reportSettlements } from '../settle/report-settlements.ts'
import { isKind, type Pushed, type PushedAs } from './pushed.ts'
import { recordAccepted } from './record-accepted.ts'
import { recordPushes } from './record-pushes.ts'

/** How long outcomes gather after a batch has begun, ms: ten statements of one row cost much more than one of ten. */
const GATHER_MS = 20

/** After `last`, for how long records still wait for a Postgres that is away, ms. */
const LAST_RECORDING_MS = 60_000

export type PushRecorder = {
  /** Resolves once the outcome is recorded. */
  add(pushed: Pushed): Promise<void>
  last(): void
}

/**
 * Records outcomes, many at once: what is commonplace by itself, so that nothing rare holds it up. An outcome is known
 * to nobody else, so its record is tried for as long as Postgres is away; once `last` was called, for a minute more.
 */
export const createPushRecorder = (options: {
  database: Database
  reconcileAfterMs: number
  nowMs: () => number
  random: () => number
  log: Log
  metrics: CoreMetrics
  onSettled: () => void
}): PushRecorder => {
  const { database, reconcileAfterMs, random, log, metrics, nowMs, onSettled } = options
  let untilMs = Number.POSITIVE_INFINITY

  /** True: recorded. */
  const accepted = gather(async (pushes: readonly PushedAs<'accepted'>[]) => {
    const recorded = await recordAccepted({ database, reconcileAfterMs, random, pushes })
    return pushes.map(({ paymentId }) => recorded.has(paymentId))
  })
  const others = gather(async (pushes: readonly Pushed[]) => {
    const { settlements, findings } = await recordPushes({ database, reconcileAfterMs, random, pushes })
    reportSettlements({ log, metrics }, settlements)
    reportFindings({ log, metrics }, findings)
    if (settlements.length > 0) onSettled()
    return pushes.map(() => undefined)
  })

  const record = async (pushed: Pushed): Promise<void> => {
    if (isAccepted(pushed) && (await accepted.add(pushed))) return
    await others.add(pushed)
  }
  const add = (pushed: Pushed): Promise<void> =>
    retryWhileUnavailable(() => record(pushed), { isOver: (pauseMs) => nowMs() + pauseMs > untilMs })

  const last = (): void => {
    untilMs = nowMs() + LAST_RECORDING_MS
  }

  return { add, last }
}

const isAccepted = isKind('accepted')

const gather = <Item, Result>(record: (items: readonly Item[]) => Promise<Result[]>): Batcher<Item, Result> =>
  createBatcher({
    maxItems: 200,
    maxRunning: 2,
    maxWaiting: 10_000,
    gatherMs: GATHER_MS,
    run: (items) => runRows(items, record),
  })
