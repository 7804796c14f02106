import { sql } from 'kysely'
import type { Database } from '../../database/connect.ts'
import { runRows } from '../../database/run-rows.ts'
import { type Batcher, createBatcher } from '../../runtime/batch.ts'
import { crashPoint } from '../../runtime/crash-point.ts'

/** A callback as it came. */
export type ReceivedCallback = {
  /** The payment that its URL's token names; null when nobody here issued the token. */
  paymentId: bigint | null
  body: Uint8Array
  headers: { name: string; value: string }[]
  sourceAddress: string
}

/**
 * Makes callbacks durable, many in one commit: `add` resolves after the commit, and only then may Daraja be answered, for it
 * delivers once (law 3). Nothing is interpreted here: a callback of a known payment gets the duty to interpret it.
 */
export const createReceiver = (options: { database: Database }): Batcher<ReceivedCallback, void> =>
  createBatcher({
    maxItems: 500,
    maxRunning: 2,
    maxWaiting: 10_000,
    run: (items) =>
      runRows(items, async (callbacks) => {
        await insertCallbacks(options.database, callbacks)
        return callbacks.map(() => undefined)
      }),
  })

const insertCallbacks = async (database: Database, callbacks: readonly ReceivedCallback[]): Promise<void> => {
  crashPoint('receive.before_commit')
  await sql`
    WITH added AS (
      INSERT INTO callbacks (payment_id, source_address, headers, body)
      SELECT * FROM unnest(
        ${callbacks.map((callback) => callback.paymentId)}::bigint[],
        ${callbacks.map((callback) => callback.sourceAddress)}::text[],
        ${callbacks.map(renderHeaders)}::jsonb[],
        ${callbacks.map((callback) => Buffer.from(callback.body))}::bytea[]
      )
      RETURNING id, received_at, payment_id
    )
    INSERT INTO to_interpret (callback_id, received_at) SELECT id, received_at FROM added WHERE payment_id IS NOT NULL
  `.execute(database)
  crashPoint('receive.after_commit')
}

const renderHeaders = (callback: ReceivedCallback): string =>
  JSON.stringify(callback.headers.map(({ name, value }) => [name, value]))
