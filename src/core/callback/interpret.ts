import { sql, type Transaction } from 'kysely'
import type { Database } from '../../database/connect.ts'
import { givenRows } from '../../database/given-rows.ts'
import { isOfItsContent, isOutage } from '../../database/outage.ts'
import type { RowOf, Schema } from '../../database/schema/schema.ts'
import { crashPoint } from '../../runtime/crash-point.ts'
import type { Log } from '../../runtime/log.ts'
import { type Loop, startLoop } from '../../runtime/loop.ts'
import { parseCallback, type StkCallback } from '../daraja/parse-callback.ts'
import type { CoreMetrics } from '../metrics.ts'
import { hastenQueries } from '../payments/duties.ts'
import type { Settlement } from '../settle/decide.ts'
import type { Evidence } from '../settle/evidence.ts'
import { reportSettlements } from '../settle/report-settlements.ts'
import { settle } from '../settle/settle.ts'

/** Callbacks that one transaction takes. */
const BATCH = 200

/** How long callbacks gather after a batch that was not full, ms: ten small batches cost ten times seven statements. */
const MIN_PAUSE_MS = 20

/** Batches at once when one was full: while Postgres works at one, the other is read. */
const BATCHES_WHEN_BEHIND = 2

/** How long the loop rests when nothing is due and nobody wakes it, ms. */
const IDLE_MS = 500

type NotUnderstood = { callback: DueCallback; reason: string }

type Interpreted = { found: number; notUnderstood: NotUnderstood[]; settlements: Settlement[] }

/**
 * What interpreting needs; `onSettled` is called after each batch that settled anything, for its deliveries are due.
 */
type Interpreting = { database: Database; log: Log; metrics: CoreMetrics; onSettled: () => void }

/**
 * Interprets the callbacks that `receive` made durable: reads each, settles its payment and ends the duty, in one
 * transaction a batch. A callback that comes before the reply to its push keeps the duty, and is tried again soon. One
 * that cannot be read is kept and reported, once. When a batch fails its callbacks are taken one by one: the one that
 * fails by what it holds is kept and reported too, any other that fails is tried again later.
 */
export const startInterpreting = (options: Interpreting): Loop => {
  let isBehind = false

  const interpretSome = async (): Promise<boolean> => {
    let found: number
    try {
      found = await interpretAndReport(options, { limit: BATCH })
    } catch (error) {
      if (isOutage(error)) throw error
      options.log.error({ event: 'interpretation_failed', err: error })
      found = await interpretOneByOne(options)
    }
    return found === BATCH
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
    minPauseMs: MIN_PAUSE_MS,
    round,
    isOutage,
    log: options.log,
  })
}

/** Interprets callbacks and reports what came of them; resolves with how many there were. */
const interpretAndReport = async (options: Interpreting, which: Which): Promise<number> => {
  const { found, notUnderstood, settlements } = await interpretBatch(options.database, which)
  for (const { callback, reason } of notUnderstood) {
    const { id, payment_id } = callback
    options.log.warn({ event: 'callback_not_understood', callback_id: id, payment_id, reason })
  }
  reportSettlements(options, settlements)
  if (settlements.some(({ decision }) => decision.kind === 'move')) options.onSettled()
  return found
}

const interpretBatch = async (database: Database, which: Which): Promise<Interpreted> => {
  const interpreted = await database.transaction().execute(async (transaction) => {
    const due = await takeDue(transaction, which)
    const done = await interpretTaken(transaction, due)
    crashPoint('interpret.before_commit', due.length)
    return { found: due.length, ...done }
  })
  crashPoint('interpret.after_commit', interpreted.found)
  return interpreted
}

const interpretTaken = async (
  transaction: Transaction<Schema>,
  due: readonly DueCallback[],
): Promise<Omit<Interpreted, 'found'>> => {
  const read = due.map((callback) => ({ callback, content: parseCallback(callback.body) }))
  const understood = read.flatMap(({ callback, content }) =>
    content.kind === 'understood' ? [{ callback, content }] : [],
  )
  const notUnderstood = read.flatMap(({ callback, content }) =>
    content.kind === 'understood' ? [] : [{ callback, reason: content.reason }],
  )
  const settlements = await settle(
    transaction,
    understood.map(({ callback, content }) => toEvidence(callback, content)),
  )
  await letWait(
    transaction,
    understood.flatMap(({ callback }, index) =>
      settlements[index]?.decision.kind === 'wait' ? [callback] : [],
    ),
  )
  await hastenQueries(
    transaction,
    notUnderstood.map(({ callback }) => callback.payment_id),
  )
  return { notUnderstood, settlements }
}

/**
 * After a batch failed: each callback by itself, reported as soon as it is committed; resolves with how many there
 * were.
 */
const interpretOneByOne = async (options: Interpreting): Promise<number> => {
  const ids = await listDue(options.database, BATCH)
  for (const id of ids) {
    try {
      await interpretAndReport(options, { id })
    } catch (error) {
      if (isOutage(error)) throw error
      await quarantine(options, id, error)
    }
  }
  return ids.length
}

/** What a callback holds fails the same each time; any other refusal by Postgres has another cause. */
const quarantine = async ({ database, log }: Interpreting, id: string, error: unknown): Promise<void> => {
  if (isOfItsContent(error)) {
    await giveUp(database, id)
    log.error({ event: 'callback_given_up', callback_id: id, err: error })
  } else {
    const seconds = await putOff(database, id)
    log.error({ event: 'callback_put_off', callback_id: id, err: error, retry_s: seconds })
  }
}

/** What a callback says of the payment that its URL names. Pure. */
export const toEvidence = ({ payment_id, nonce }: DueCallback, content: StkCallback): Evidence => {
  const isPaid = content.resultCode === '0'
  return {
    paymentId: payment_id,
    outcome: isPaid ? 'successful' : 'failed',
    cause: 'callback',
    resultCode: content.resultCode,
    resultDesc: content.resultDesc,
    receipt: content.receipt,
    // That nothing moved is what a failure is, not another amount.
    amountKes: !isPaid && content.amountKes === 0 ? null : content.amountKes,
    transactionDate: isPaid ? content.transactionDate : null,
    merchantRequestId: content.merchantRequestId,
    checkoutRequestId: content.checkoutRequestId,
    callback: { nonce, payerMsisdn: content.payerMsisdn },
  }
}

/** A callback that is to be interpreted. */
export type DueCallback = RowOf<'callbacks', 'id' | 'received_at' | 'nonce' | 'body'> & { payment_id: bigint }

/** Which of the callbacks that are due: the oldest, or the one of this id. */
export type Which = { limit: number } | { id: string }

/** How long evidence waits for the reply to its push, s: half as long as it has waited, within these bounds. */
const LEAST_WAIT_SECONDS = 0.2
const MOST_WAIT_SECONDS = 5

/** When a callback is tried again that could not be interpreted for a reason that may pass, s: later each time. */
const LEAST_PAUSE_SECONDS = 60
const MOST_PAUSE_SECONDS = 3600

/**
 * Ends the duties of callbacks that are due and that nobody else has in hand, and reads these: a transaction that fails
 * gives the duties back. The bounds of time name the partitions once; a join would look for them again for each row.
 */
export const takeDue = async (transaction: Transaction<Schema>, which: Which): Promise<DueCallback[]> => {
  const { rows } = await sql<DueCallback>`
    WITH due AS (
      DELETE FROM to_interpret WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM to_interpret WHERE due_at <= now() ${'id' in which ? sql`AND callback_id = ${which.id}` : sql``}
        ORDER BY callback_id LIMIT ${'id' in which ? 1 : which.limit} FOR UPDATE SKIP LOCKED
      ))
      RETURNING callback_id, received_at
    )
    SELECT id, received_at, payment_id, nonce, body FROM callbacks
    WHERE id = ANY (ARRAY(SELECT callback_id FROM due))
      AND received_at >= (SELECT min(received_at) FROM due) AND received_at <= (SELECT max(received_at) FROM due)
    ORDER BY id
  `.execute(transaction)
  return rows
}

/** The ids of the oldest callbacks that are due, without taking them. */
export const listDue = async (database: Database, limit: number): Promise<string[]> => {
  const rows = await database
    .selectFrom('to_interpret')
    .select('callback_id')
    .where('due_at', '<=', sql<Date>`now()`)
    .orderBy('callback_id')
    .limit(limit)
    .execute()
  return rows.map(({ callback_id }) => callback_id)
}

/** Gives callbacks their duty again, in the transaction that took it: they wait for the reply to their push. */
export const letWait = async (
  transaction: Transaction<Schema>,
  callbacks: readonly DueCallback[],
): Promise<void> => {
  if (callbacks.length === 0) return
  const given = givenRows(callbacks, {
    id: ['to_interpret.callback_id', (callback) => callback.id],
    received_at: ['to_interpret.received_at', (callback) => callback.received_at],
  })
  await transaction
    .insertInto('to_interpret')
    .columns(['callback_id', 'received_at', 'due_at'])
    .expression((query) =>
      query
        .selectFrom(given)
        .select(['id', 'received_at'])
        .select(afterPause({ least: LEAST_WAIT_SECONDS, most: MOST_WAIT_SECONDS }).as('due_at')),
    )
    .execute()
}

/** Has one callback tried again later, if it still is to be interpreted; resolves with when, s from now. */
export const putOff = async (database: Database, id: string): Promise<number> => {
  crashPoint('put_off.before_commit')
  const row = await database
    .updateTable('to_interpret')
    .set({ due_at: afterPause({ least: LEAST_PAUSE_SECONDS, most: MOST_PAUSE_SECONDS }) })
    .where('callback_id', '=', id)
    .returning(sql<number>`round(extract(epoch FROM due_at - now()))::float8`.as('seconds'))
    .executeTakeFirst()
  crashPoint('put_off.after_commit')
  return row?.seconds ?? 0
}

/** Ends the duty of one callback that can never be interpreted: it is kept, and not tried for ever. */
export const giveUp = async (database: Database, id: string): Promise<void> => {
  crashPoint('give_up_callback.before_commit')
  await database.deleteFrom('to_interpret').where('callback_id', '=', id).execute()
  crashPoint('give_up_callback.after_commit')
}

/** The instant after a pause that grows with the time since the callback came, so that nobody has to count. */
const afterPause = ({ least, most }: { least: number; most: number }) =>
  sql<Date>`now() + least(greatest((now() - received_at) / 2, make_interval(secs => ${least})), make_interval(secs => ${most}))`
