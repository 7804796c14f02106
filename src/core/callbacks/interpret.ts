import { sql, type Transaction } from 'kysely'
import type { Database } from '../../database/connect.ts'
import { isOutage } from '../../database/outage.ts'
import type { Schema } from '../../database/schema/schema.ts'
import { crashPoint } from '../../runtime/crash-point.ts'
import type { Log } from '../../runtime/log.ts'
import { type Loop, startLoop } from '../../runtime/loop.ts'
import { parseCallback, type StkCallback } from '../daraja/parse-callback.ts'
import type { CoreMetrics } from '../metrics.ts'
import { hastenQueries } from '../payments/duties.ts'
import { type Evidence, type Settlement, settle } from '../payments/settle.ts'
import { tellSettlements } from '../payments/tell-settlements.ts'

/** Callbacks that one transaction takes. */
const BATCH = 200

/** How long callbacks gather after a batch that was not full, ms: ten small batches cost ten times seven statements. */
const BREATH_MS = 20

/** Batches at once when one was full: while Postgres works at one, the other is read. */
const BATCHES_WHEN_BEHIND = 2

/** How long the loop rests when nothing is due and nobody wakes it, ms. */
const IDLE_MS = 500

/** When a callback whose interpretation failed is tried again, seconds. */
const RETRY_SECONDS = 60

type DueCallback = { id: string; payment_id: bigint; body: Buffer }

type NotUnderstood = { callback: DueCallback; reason: string }

type Interpreted = { found: number; notUnderstood: NotUnderstood[]; settlements: Settlement[] }

/**
 * Interprets the callbacks that `receive` made durable: reads each, settles its payment and ends the duty, in one transaction
 * a batch. `onSettled` is called after each batch that settled anything, for its deliveries are due. A callback that cannot
 * be read is kept and reported; one that makes the batch fail is set aside alone and tried again in a minute.
 */
export const startInterpreting = (options: {
  database: Database
  log: Log
  metrics: CoreMetrics
  onSettled: () => void
}): Loop => {
  let isBehind = false

  const interpretSome = async (): Promise<boolean> => {
    const interpreted = await interpretBatch(options.database, BATCH).catch((error: unknown) => {
      if (isOutage(error)) throw error
      return interpretOneByOne({ ...options, error })
    })
    for (const { callback, reason } of interpreted.notUnderstood) {
      const { id, payment_id } = callback
      options.log.warn({ event: 'callback_not_understood', callback_id: id, payment_id, reason })
    }
    tellSettlements(options, interpreted.settlements)
    if (interpreted.settlements.length > 0) options.onSettled()
    return interpreted.found === BATCH
  }

  const round = async (): Promise<boolean> => {
    const batches = Array.from({ length: isBehind ? BATCHES_WHEN_BEHIND : 1 }, interpretSome)
    // All end before the round does, whatever becomes of one of them.
    await Promise.allSettled(batches)
    isBehind = (await Promise.all(batches)).includes(true)
    return isBehind
  }
  return startLoop({
    name: 'interpret',
    idleMs: IDLE_MS,
    breathMs: BREATH_MS,
    round,
    isOutage,
    log: options.log,
  })
}

const interpretBatch = async (database: Database, limit: number): Promise<Interpreted> => {
  const interpreted = await database.transaction().execute(async (transaction) => {
    const due = await takeDue(transaction, limit)
    const read = due.map((callback) => ({ callback, content: parseCallback(callback.body) }))
    const evidence = read.flatMap(({ callback, content }) =>
      content.kind === 'understood' ? [toEvidence(callback.payment_id, content)] : [],
    )
    const notUnderstood = read.flatMap(({ callback, content }) =>
      content.kind === 'understood' ? [] : [{ callback, reason: content.reason }],
    )
    const settlements = await settle(transaction, evidence)
    await hastenQueries(
      transaction,
      notUnderstood.map(({ callback }) => callback.payment_id),
    )
    crashPoint('interpret.before_commit', due.length)
    return { found: due.length, notUnderstood, settlements }
  })
  crashPoint('interpret.after_commit', interpreted.found)
  return interpreted
}

/** After a batch failed: each callback by itself, and the one that fails is put off. */
const interpretOneByOne = async (options: {
  database: Database
  log: Log
  error: unknown
}): Promise<Interpreted> => {
  options.log.error({ event: 'interpretation_failed', err: options.error })
  const all: Interpreted = { found: 0, notUnderstood: [], settlements: [] }
  for (let count = 0; count < BATCH; count += 1) {
    const one = await interpretBatch(options.database, 1).catch(async (error: unknown) => {
      if (isOutage(error)) throw error
      options.log.error({ event: 'callback_put_off', err: error, retry_s: RETRY_SECONDS })
      await putOffFirst(options.database)
      return null
    })
    if (one?.found === 0) break
    all.notUnderstood.push(...(one?.notUnderstood ?? []))
    all.settlements.push(...(one?.settlements ?? []))
  }
  return all
}

/**
 * Ends the duties of the oldest callbacks that are due and that nobody else has in hand, and reads these: a transaction that
 * fails gives the duties back. The bounds of time name the partitions once; a join would look for them again for each row.
 */
const takeDue = async (transaction: Transaction<Schema>, limit: number): Promise<DueCallback[]> => {
  const { rows } = await sql<DueCallback>`
    WITH due AS (
      DELETE FROM to_interpret WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM to_interpret WHERE due_at <= now()
        ORDER BY callback_id LIMIT ${limit} FOR UPDATE SKIP LOCKED
      ))
      RETURNING callback_id, received_at
    )
    SELECT id, payment_id, body FROM callbacks
    WHERE id = ANY (ARRAY(SELECT callback_id FROM due))
      AND received_at >= (SELECT min(received_at) FROM due) AND received_at <= (SELECT max(received_at) FROM due)
    ORDER BY id
  `.execute(transaction)
  return rows
}

const putOffFirst = async (database: Database): Promise<void> => {
  crashPoint('put_off.before_commit')
  await sql`
    UPDATE to_interpret SET due_at = now() + make_interval(secs => ${RETRY_SECONDS})
    WHERE callback_id = (
      SELECT callback_id FROM to_interpret WHERE due_at <= now()
      ORDER BY callback_id LIMIT 1 FOR UPDATE SKIP LOCKED
    )
  `.execute(database)
  crashPoint('put_off.after_commit')
}

const toEvidence = (paymentId: bigint, content: StkCallback): Evidence => ({
  paymentId,
  outcome: content.resultCode === '0' ? 'successful' : 'failed',
  cause: 'callback',
  resultCode: content.resultCode,
  resultDesc: content.resultDesc,
  receipt: content.receipt,
  amountKes: content.amountKes,
  transactionDate: content.resultCode === '0' ? content.transactionDate : null,
  merchantRequestId: content.merchantRequestId,
  checkoutRequestId: content.checkoutRequestId,
})
