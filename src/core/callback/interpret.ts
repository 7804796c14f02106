import type { Transaction } from 'kysely'
import { createLookBack } from '../../database/look-back.ts'
import { isOfItsContent, isOutage } from '../../database/outage.ts'
import type { Schema } from '../../database/schema/schema.ts'
import { crashPoint } from '../../runtime/crash-point.ts'
import { type Loop, startLoop } from '../../runtime/loop.ts'
import { hastenQueries, lookForReceipts } from '../payments/duties.ts'
import type { Settlement } from '../settle/decide.ts'
import type { Evidence } from '../settle/evidence.ts'
import { reportSettlements } from '../settle/report-settlements.ts'
import { settle } from '../settle/settle.ts'
import {
  type DueCallback,
  giveUp,
  letWait,
  listDue,
  type Oldest,
  putOff,
  takeDue,
  type Which,
} from './due-callbacks.ts'
import { createInterpretingAtOnce, type Interpreting } from './interpret-at-once.ts'
import { type ReadableCallback, readEvidence } from './read-evidence.ts'

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

export type Interpreter = Loop & {
  /** Has a callback interpreted that this process took, at once. It must be durable, with the duty to interpret it. */
  readonly interpret: (callback: ReadableCallback) => void
  /** Says that callbacks were stored that came a while ago. */
  readonly wakeForOld: () => void
}

/**
 * Interprets the callbacks that `receive` made durable. Those that this process took are settled at once, where they
 * are what nearly all are (`interpret-at-once.ts`). The loop takes what is left of them, and what is due, whoever took
 * it: it reads each, settles its payment and ends the duty, in one transaction a batch. A callback that comes before
 * the reply to its push keeps the duty, and is tried again soon. One that cannot be read is kept and reported, once.
 * When a batch fails its callbacks are taken one by one: the one that fails by what it holds is kept and reported too,
 * any other that fails is tried again later.
 */
export const startInterpreting = (
  options: Interpreting & { nowMs: () => number },
  { idleMs = IDLE_MS }: { idleMs?: number } = {},
): Interpreter => {
  let isBehind = false
  let left: string[] = []
  const lookBack = createLookBack(options.nowMs)

  const interpretSome = async (which: Which & Oldest): Promise<boolean> => {
    let found: number
    try {
      found = await interpretAndReport(options, which)
    } catch (error) {
      if (isOutage(error)) throw error
      options.log.error({ event: 'interpretation_failed', err: error })
      found = await interpretOneByOne(options, which)
    }
    return found === which.limit
  }

  const round = async (): Promise<boolean> => {
    const which = { limit: BATCH, left, look: lookBack.begin() }
    left = []
    const batches = Array.from({ length: isBehind ? BATCHES_WHEN_BEHIND : 1 }, () => interpretSome(which))
    // All end before the round does, whatever becomes of one of them.
    await Promise.allSettled(batches)
    isBehind = (await Promise.all(batches)).includes(true)
    return isBehind
  }
  const loop = startLoop({
    name: 'interpret',
    idleMs,
    minPauseMs: MIN_PAUSE_MS,
    round,
    isOutage,
    log: options.log,
  })
  const atOnce = createInterpretingAtOnce(options, {
    onLeft: (ids) => {
      left.push(...ids)
      loop.wake()
    },
  })
  const stop = async (): Promise<void> => {
    await atOnce.drained()
    await loop.stop()
  }
  const wakeForOld = (): void => {
    lookBack.reset()
    loop.wake()
  }
  return { ...loop, stop, interpret: atOnce.interpret, wakeForOld }
}

/** Interprets callbacks and reports what came of them; resolves with how many there were. */
const interpretAndReport = async (options: Interpreting, which: Which): Promise<number> => {
  const traced = options.traces?.settling()
  const { found, notUnderstood, settlements } = await interpretBatch(options, which)
  for (const { callback, reason } of notUnderstood) {
    const { id, payment_id } = callback
    options.log.warn({ event: 'callback_not_understood', callback_id: id, payment_id, reason })
  }
  reportSettlements(options, settlements)
  traced?.(settlements)
  if (settlements.some(({ decision }) => decision.kind === 'move')) options.onSettled()
  return found
}

const interpretBatch = async (options: Interpreting, which: Which): Promise<Interpreted> => {
  const interpreted = await options.database.transaction().execute(async (transaction) => {
    const { callbacks, looked } = await takeDue(transaction, which)
    const done = await interpretTaken(transaction, callbacks, options)
    crashPoint('interpret.before_commit', callbacks.length)
    return { found: callbacks.length, looked, ...done }
  })
  crashPoint('interpret.after_commit', interpreted.found)
  if ('look' in which && interpreted.looked) which.look.ended(interpreted.looked)
  return interpreted
}

const interpretTaken = async (
  transaction: Transaction<Schema>,
  due: readonly DueCallback[],
  { pullsByDefault }: Interpreting,
): Promise<Omit<Interpreted, 'found'>> => {
  const understood: { callback: DueCallback; evidence: Evidence }[] = []
  const notUnderstood: NotUnderstood[] = []
  for (const callback of due) {
    const read = readEvidence(callback)
    if (read.kind === 'evidence') understood.push({ callback, evidence: read.evidence })
    else notUnderstood.push({ callback, reason: read.reason })
  }
  const settlements = await settle(
    transaction,
    understood.map(({ evidence }) => evidence),
  )
  await lookForReceipts(transaction, settlements.flatMap(idWithoutReceipt), { byDefault: pullsByDefault })
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

/** Of a payment that is paid now, by a receipt that the callback does not say. */
const idWithoutReceipt = ({ decision, evidence }: Settlement): bigint[] =>
  decision.kind === 'move' && evidence.outcome === 'successful' && evidence.receipt === null
    ? [evidence.paymentId]
    : []

/**
 * After a batch failed: each callback by itself, reported as soon as it is committed; resolves with how many there
 * were.
 */
const interpretOneByOne = async (options: Interpreting, which: Which & Oldest): Promise<number> => {
  const ids = await listDue(options.database, which)
  for (const id of ids) {
    try {
      await interpretAndReport(options, { id, left: which.left })
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
