import type { Database } from '../../database/connect.ts'
import { isOutage } from '../../database/outage.ts'
import { createBatcher } from '../../runtime/batch.ts'
import type { Log } from '../../runtime/log.ts'
import type { CoreMetrics } from '../metrics.ts'
import type { PublishAtOnce } from '../outbox/publish.ts'
import { reportSettlements } from '../settle/report-settlements.ts'
import { settleUnlocked } from '../settle/settle-unlocked.ts'
import type { CoreTraces } from '../traces.ts'
import { type ReadableCallback, readEvidence } from './read-evidence.ts'

/**
 * What interpreting needs. `onSettled` is called after each batch that settled anything and whose deliveries the
 * outbox's loop is to publish; `publishAtOnce` says how those of a batch are published without it, where they can be.
 */
export type Interpreting = {
  database: Database
  log: Log
  metrics: CoreMetrics
  traces?: CoreTraces | undefined
  onSettled: () => void
  publishAtOnce: () => PublishAtOnce | null
  /** Whether the default account has Pull Transactions. */
  pullsByDefault: boolean
}

/** Callbacks that one statement settles at most. */
const BATCH = 200

/** With how many callbacks a batch starts beside one under way: while Postgres works at one, they gather. */
const BESIDE_FROM = 50

/** How long callbacks gather after a batch has started, ms: a batch costs as much as twenty callbacks. */
const GATHER_MS = 10

/** Callbacks that may wait. Further ones are left to the loop, of whichever process, when their duties are due. */
const MAX_WAITING = 5_000

/**
 * Settles callbacks that this process has just made durable, by what it still has of them in memory: without taking and
 * reading them again, and without a transaction that holds locks while it decides. What is not settled by that, for it
 * is not what nearly all callbacks are, or anything else changed meanwhile, goes to `onLeft` with its duty as it was.
 */
export const createInterpretingAtOnce = (
  options: Interpreting,
  { onLeft }: { onLeft: (ids: readonly string[]) => void },
) => {
  const run = async (callbacks: ReadableCallback[]): Promise<undefined[]> => {
    const settled = await settleAll(options, callbacks).catch((error: unknown) => {
      // The duties are in Postgres: after an outage whoever finds them due first takes them.
      if (isOutage(error)) return new Set(callbacks.map(({ id }) => id))
      options.log.error({ event: 'interpretation_failed', err: error })
      return new Set<string>()
    })
    const left = callbacks.flatMap(({ id }) => (settled.has(id) ? [] : [id]))
    if (left.length > 0) onLeft(left)
    return callbacks.map(() => undefined)
  }
  const batcher = createBatcher({
    maxItems: BATCH,
    maxRunning: 2,
    maxWaiting: MAX_WAITING,
    besideFrom: BESIDE_FROM,
    gatherMs: GATHER_MS,
    run,
  })
  return {
    interpret: (callback: ReadableCallback): void => void batcher.add(callback).catch(() => undefined),
    drained: () => batcher.drained(),
  }
}

/** Settles what can be settled without a lock, and reports it; resolves with the ids of these callbacks. */
const settleAll = async (
  options: Interpreting,
  callbacks: readonly ReadableCallback[],
): Promise<Set<string>> => {
  const said = callbacks.flatMap((callback) => {
    const read = readEvidence(callback)
    return read.kind === 'evidence' ? [{ callbackId: callback.id, evidence: read.evidence }] : []
  })
  const traced = options.traces?.settling()
  const publish = options.publishAtOnce()
  const settled = await settleUnlocked(options.database, said, publish)
  const settlements = settled.map(({ settlement }) => settlement)
  reportSettlements(options, settlements)
  traced?.(settlements)
  if (settled.length > 0 && publish === null) options.onSettled()
  return new Set(settled.map(({ callbackId }) => callbackId))
}
