import type { Database } from '../../database/connect.ts'
import { createBatcher } from '../../runtime/batch.ts'
import type { Log } from '../../runtime/log.ts'
import { inTime } from '../../runtime/time-limit.ts'
import type { ReceivedCallback } from './callback.ts'
import type { Spool } from './spool.ts'
import { storeCallbacks } from './store.ts'

export type CallbackReceiver = {
  /** Resolves once the callback is durable, and where; rejects when neither Postgres nor the disk takes it. */
  receive(callback: ReceivedCallback): Promise<'database' | 'spool'>
  /** Resolves when nothing waits for Postgres. */
  drained(): Promise<void>
}

/**
 * With how many callbacks a second commit starts beside one under way: fewer cost more as a commit of their own than they
 * gain by not waiting for the next one.
 */
const BESIDE_FROM = 16

/** Postgres was asked and has not answered; whether it has stored the callbacks is unknown. */
export class DatabaseTooSlow extends Error {
  override name = 'DatabaseTooSlow'
}

/**
 * Makes callbacks durable, many in one commit, and only then may Daraja be answered, for it delivers once (law 3). What
 * Postgres does not take within `patienceMs`, for whatever reason, goes to the spool, and so does all that comes after it
 * until `replay` finds Postgres again. Nothing is interpreted here.
 */
export const createReceiver = (options: {
  database: Database
  spool: Spool
  availability: DatabaseAvailability
  patienceMs: number
}): CallbackReceiver => {
  const { database, spool, availability, patienceMs } = options

  const store = async (callbacks: ReceivedCallback[]): Promise<('stored' | Error)[]> => {
    // The connection was lost while these callbacks waited in the batcher.
    if (availability.isDown()) throw new DatabaseTooSlow('Postgres is away')
    try {
      return await storeInTime(database, callbacks, patienceMs)
    } catch (error) {
      availability.markDown(error)
      throw error
    }
  }

  const batcher = createBatcher({
    maxItems: 500,
    maxRunning: 2,
    maxWaiting: 10_000,
    besideFrom: BESIDE_FROM,
    run: store,
  })
  return {
    receive: async (callback) => {
      if (!availability.isDown()) {
        const isStored = await batcher.add(callback).then(
          () => true,
          () => false,
        )
        if (isStored) return 'database'
      }
      await spool.add(callback)
      return 'spool'
    },
    drained: () => batcher.drained(),
  }
}

/** Rejects with `DatabaseTooSlow` when Postgres takes longer to store the callbacks; whether it has is then unknown. */
export const storeInTime = (
  database: Database,
  callbacks: readonly ReceivedCallback[],
  patienceMs: number,
): Promise<('stored' | Error)[]> =>
  inTime(
    storeCallbacks(database, callbacks),
    patienceMs,
    () => new DatabaseTooSlow(`Postgres did not answer within ${patienceMs} ms`),
  )

/** Whether Postgres takes callbacks at present, as far as this process knows. */
export type DatabaseAvailability = {
  isDown(): boolean
  /** Call when a write failed or timed out. Until `markUp`, callbacks go to the spool without trying Postgres. */
  markDown(cause: unknown): void
  /** Call when Postgres took something: from now on callbacks go there again. */
  markUp(): void
}

/**
 * Remembers an outage, so that only the callbacks at its beginning wait for it; one line of the log at each end. Until the
 * first `markUp` no database is known yet, and callbacks go to the spool.
 */
export const createDatabaseAvailability = (options: {
  log: Log
  nowMs: () => number
}): DatabaseAvailability => {
  let isKnown = false
  let downSinceMs: number | null = null
  return {
    isDown: () => !isKnown || downSinceMs !== null,
    markDown: (cause) => {
      if (downSinceMs !== null) return
      downSinceMs = options.nowMs()
      options.log.warn({ event: 'callbacks_to_spool', err: cause })
    },
    markUp: () => {
      isKnown = true
      if (downSinceMs === null) return
      const afterMs = Math.round(options.nowMs() - downSinceMs)
      downSinceMs = null
      options.log.info({ event: 'callbacks_to_database', after_ms: afterMs })
    },
  }
}
