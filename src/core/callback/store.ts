import { sql } from 'kysely'
import type { Database } from '../../database/connect.ts'
import { ensureMonths, isWithoutPartition } from '../../database/partitions.ts'
import { runRows } from '../../database/run-rows.ts'
import { crashPoint } from '../../runtime/crash-point.ts'
import { type ReceivedCallback, renderHeaders, toStorable, UNREAD_NONCE } from './callback.ts'
import { insertStrangers } from './strangers.ts'

/**
 * Stores callbacks in one commit, and beside it those of strangers in another, each with the duty to interpret it where it has a payment and was not refused. A callback
 * that is stored already, by its id, changes nothing: the same one may come from a request, whose commit was not heard of,
 * and from the spool, in any order. Resolves with an `Error` in the place of a callback that Postgres refuses for what it
 * holds. Storing none resolves where Postgres would take one.
 */
export const storeCallbacks = (
  database: Database,
  callbacks: readonly ReceivedCallback[],
): Promise<('stored' | Error)[]> =>
  runRows(callbacks, async (all) => {
    const strangers = all.filter((callback) => callback.strangerBodyBytes !== null)
    const others = all.filter((callback) => callback.strangerBodyBytes === null)
    await Promise.all([
      strangers.length > 0 && insertStrangers(database, strangers),
      (others.length > 0 || all.length === 0) && insertOthers(database, others),
    ])
    return all.map(() => 'stored' as const)
  })

const insertOthers = async (database: Database, callbacks: readonly ReceivedCallback[]): Promise<void> => {
  await insertCallbacks(database, callbacks).catch(async (error: unknown) => {
    if (!isWithoutPartition(error)) throw error
    // Its month was long ago, or the clock of the machine that took it was wrong.
    await ensureMonths(
      database,
      'callbacks',
      callbacks.map((callback) => callback.receivedAt),
    )
    await insertCallbacks(database, callbacks)
  })
}

/**
 * The bodies travel as one value, out of which Postgres cuts each, and the headers as one document: as elements of arrays
 * both would be escaped here and unescaped there, byte by byte, which was a fifth of what storing cost Postgres.
 */
const insertCallbacks = async (database: Database, callbacks: readonly ReceivedCallback[]): Promise<void> => {
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
          ${callbacks.map((callback) => callback.receivedAt.toISOString())}::timestamptz[],
          ${callbacks.map((callback) => callback.paymentId)}::bigint[],
          ${callbacks.map((callback) => callback.nonce)}::text[],
          ${callbacks.map((callback) => callback.isRefused)}::boolean[],
          ${callbacks.map((callback) => toStorable(callback.sourceAddress))}::text[],
          ${startsOfBodies(callbacks)}::integer[],
          ${callbacks.map((callback) => callback.body.length)}::integer[]
        ),
        json_array_elements(${JSON.stringify(callbacks.map(renderHeaders))}::json)
      ) AS given (id, received_at, payment_id, nonce, is_refused, source_address, body_start, body_bytes, headers)
      ON CONFLICT (id, received_at) DO NOTHING
      RETURNING id, received_at, payment_id, is_refused
    )
    INSERT INTO to_interpret (callback_id, received_at)
    SELECT id, received_at FROM added WHERE payment_id IS NOT NULL AND NOT is_refused
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
