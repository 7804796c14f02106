import type { Database } from '../../database/connect.ts'
import { createBatcher } from '../../runtime/batch.ts'
import { holdDeliveries } from '../endpoints/hold.ts'
import { NO_DELIVERY, type Signals } from '../report.ts'
import type { RetryUntilStopped } from '../retry-until-stopped.ts'
import { createFairQueue, type FairQueue, type Offer } from './fair-queue.ts'

/** A delivery that is said to be due, and who is to hear what came of it. */
export type Work = Offer & {
  /** Told once, with whether the delivery was dealt with; else somebody else must. */
  end: (isDone: boolean) => void
}

/**
 * The turns of one dispatcher: an attempt is made when it is its endpoint's turn, and what does not fit is held in Postgres.
 */
export const scheduleAttempts = (options: {
  database: Database
  concurrency: number
  endpointConcurrency: number
  nowMs: () => number
  retryUntilStopped: RetryUntilStopped
  signals: Signals
  /** Makes the attempt, if it is due and nobody else's; resolves when its place is free. */
  deliver: (deliveryId: bigint) => Promise<void>
  /** Resolves with whether the work was done; never rejects. */
  settle: (work: Promise<void>) => Promise<boolean>
}): FairQueue<Work> => {
  const hold = async (ids: readonly bigint[]): Promise<undefined[]> => {
    for (const endpoint of await options.retryUntilStopped(() => holdDeliveries(options.database, ids)))
      options.signals.endpoint({ ...endpoint, to: 'ramping', cause: 'flood', ...NO_DELIVERY })
    return ids.map(() => undefined)
  }
  const holds = createBatcher<bigint, undefined>({
    maxItems: 1_000,
    maxRunning: 1,
    maxWaiting: 100_000,
    run: hold,
  })
  const settled = async (work: Work, doing: Promise<void>): Promise<void> =>
    work.end(await options.settle(doing))
  return createFairQueue<Work>({
    places: options.concurrency,
    endpointPlaces: options.endpointConcurrency,
    nowMs: options.nowMs,
    start: (work) => settled(work, options.deliver(work.deliveryId)),
    leave: async (leaving) => {
      await Promise.all(leaving.map((work) => settled(work, holds.add(work.deliveryId).then(noResult))))
    },
  })
}

const noResult = (): void => undefined
