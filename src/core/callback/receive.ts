import { sql } from 'kysely'
import type { Database } from '../../database/connect.ts'
import { fromNow } from '../../database/expressions.ts'
import { ensureMonths, isWithoutPartition } from '../../database/partitions.ts'
import { runRows } from '../../database/run-rows.ts'
import { createBatcher } from '../../runtime/batch.ts'
import { crashPoint } from '../../runtime/crash-point.ts'
import type { Log } from '../../runtime/log.ts'
import { inTime } from '../../runtime/time-limit.ts'
import { type ReceivedCallback, UNREAD_NONCE } from './callback.ts'
import type { Spool } from './spool.ts'
import { insertStrangers } from './strangers.ts'

export type CallbackReceiver = {
  /** Resolves once the callback is durable, and where; rejects when neither Postgres nor the disk takes it. */
  receive(callback: ReceivedCallback): Promise<'database' | 'spool'>
  /** Resolves when nothing waits for Postgres. */
  drained(): Promise<void>
}

/**
 * With how many callbacks a second commit starts beside one under way: fewer cost more as a commit of their own than
 * they gain by not waiting for the next one.
 */
const BESIDE_FROM = 16

/** For how long a callback is left to the process that took it, which interprets it at once, ms. */
const OWN_MS = 2_000

/** Postgres was asked and has not answered; whether it has stored the callbacks is unknown. */
export class DatabaseTooSlow extends Error {
  override name = 'DatabaseTooSlow'
}

/**
 * Makes callbacks durable, many in one commit, and only then may Daraja be answered, for it delivers once (law 3). What
 * Postgres does not take within `patienceMs`, for whatever reason, goes to the spool, and so does all that comes after
 * it until `replay` finds Postgres again. Nothing is interpreted here.
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
      return await storeInTime(database, callbacks, { patienceMs, dueAfterMs: OWN_MS })
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

/**
 * Rejects with `DatabaseTooSlow` when Postgres takes longer than `patienceMs` to store the callbacks; whether it has is
 * then unknown.
 */
export const storeInTime = (
  database: Database,
  callbacks: readonly ReceivedCallback[],
  { patienceMs, dueAfterMs = 0 }: { patienceMs: number; dueAfterMs?: number },
): Promise<('stored' | Error)[]> =>
  inTime(
    storeCallbacks(database, callbacks, { dueAfterMs }),
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
 * Remembers an outage, so that only the callbacks at its beginning wait for it; one line of the log at each end. Until
 * the first `markUp` no database is known yet, and callbacks go to the spool.
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

/**
 * Stores callbacks in one commit, and beside it those of unknown senders in another, each with the duty to interpret it
 * where it has a payment and was not refused, due after `dueAfterMs`. A callback that is stored already, by its id,
 * changes nothing: the same one may come from a request, whose commit was not confirmed, and from the spool, in any
 * order. Resolves with an `Error` in the place of a callback that Postgres refuses for what it holds. Storing none
 * resolves where Postgres would take one.
 */
export const storeCallbacks = (
  database: Database,
  callbacks: readonly ReceivedCallback[],
  { dueAfterMs }: { dueAfterMs: number } = { dueAfterMs: 0 },
): Promise<('stored' | Error)[]> =>
  runRows(callbacks, async (all) => {
    const strangers = all.filter((callback) => callback.body_bytes !== null)
    const others = all.filter((callback) => callback.body_bytes === null)
    await Promise.all([
      strangers.length > 0 && insertStrangers(database, strangers),
      (others.length > 0 || all.length === 0) && insertOthers(database, others, dueAfterMs),
    ])
    return all.map(() => 'stored' as const)
  })

const insertOthers = async (
  database: Database,
  callbacks: readonly ReceivedCallback[],
  dueAfterMs: number,
): Promise<void> => {
  await insertCallbacks(database, callbacks, dueAfterMs).catch(async (error: unknown) => {
    if (!isWithoutPartition(error)) throw error
    // Its month was long ago, or the clock of the machine that took it was wrong.
    await ensureMonths(
      database,
      'callbacks',
      callbacks.map((callback) => callback.received_at),
    )
    await insertCallbacks(database, callbacks, dueAfterMs)
  })
}

/**
 * The bodies travel as one value, out of which Postgres cuts each, and the headers as one document: as elements of
 * arrays both would be escaped here and unescaped there, byte by byte, which was a fifth of what storing cost Postgres.
 */
const insertCallbacks = async (
  database: Database,
  callbacks: readonly ReceivedCallback[],
  dueAfterMs: number,
): Promise<void> => {
  crashPoint('receive.before_commit', callbacks.length)
  await sql`
    WITH added AS (
      INSERT INTO callbacks (id, received_at, payment_id, nonce, is_refused, source_address, headers, body)
      SELECT id, received_at, payment_id,
             CASE nonce WHEN ${UNREAD_NONCE} THEN (SELECT callback_nonce FROM payments WHERE payments.id = given.payment_id) ELSE nonce END,
             is_refused, source_address, headers,
             substring(${Buffer.concat(callbacks.map((callback) => callback.body))}::bytea FROM body_start FOR body_bytes)
      FROM ROWS FROM (
        unnest(
          ${callbacks.map((callback) => callback.id)}::uuid[],
          ${callbacks.map((callback) => callback.received_at.toISOString())}::timestamptz[],
          ${callbacks.map((callback) => callback.payment_id)}::bigint[],
          ${callbacks.map((callback) => callback.nonce)}::text[],
          ${callbacks.map((callback) => callback.is_refused)}::boolean[],
          ${callbacks.map((callback) => callback.source_address)}::text[],
          ${startsOfBodies(callbacks)}::integer[],
          ${callbacks.map((callback) => callback.body.length)}::integer[]
        ),
        json_array_elements(${JSON.stringify(callbacks.map((callback) => callback.headers))}::json)
      ) AS given (id, received_at, payment_id, nonce, is_refused, source_address, body_start, body_bytes, headers)
      ON CONFLICT (id, received_at) DO NOTHING
      RETURNING id, received_at, payment_id, is_refused
    )
    INSERT INTO to_interpret (callback_id, received_at, due_at)
    SELECT id, received_at, ${fromNow(dueAfterMs)} FROM added WHERE payment_id IS NOT NULL AND NOT is_refused
  `.execute(database)
  crashPoint('receive.after_commit', callbacks.length)
}

/** Where each body begins when they stand one after the other, counted from 1. */
const startsOfBodies = (callbacks: readonly ReceivedCallback[]): number[] => {
  let next = 1
  return callbacks.map(({ body }) => {
    const start = next
    next += body.length
    return start
  })
}
