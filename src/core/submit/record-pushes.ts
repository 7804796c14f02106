import type { Transaction } from 'kysely'
import type { Database } from '../../database/connect.ts'
import { anyOf, givenRows } from '../../database/given-rows.ts'
import type { RowOf, Schema } from '../../database/schema/schema.ts'
import { crashPoint } from '../../runtime/crash-point.ts'
import { maskCheckoutRequestId } from '../../values/checkout-request-id.ts'
import {
  addConfirmations,
  addQueries,
  endSubmissions,
  nextDelay,
  postponeSubmissions,
} from '../payments/duties.ts'
import { type MovedTo, movePayments } from '../payments/move.ts'
import { NOT_PROMPTED } from '../payments/states.ts'
import type { Settlement } from '../settle/decide.ts'
import type { Evidence } from '../settle/evidence.ts'
import { type Finding, recordFindings } from '../settle/findings.ts'
import { settle } from '../settle/settle.ts'
import { isKind, type Pushed, type PushedAs } from './pushed.ts'

/** What the records did: the settlements of refusals, and ids that are not those that were known. */
export type RecordedPushes = { settlements: Settlement[]; findings: Finding[] }

/**
 * Records what came of pushes, whatever it is and wherever their payments are by now, in one transaction, and replaces
 * each duty by the next: to query what was accepted, to submit again later what was certainly not processed, to confirm
 * what is unknown, nothing for what failed. It may be repeated, and may come late. A callback may have settled a
 * payment before: then only Daraja's ids are written down. The lease may have ended and the payment be unconfirmed:
 * then the ids put it on the query's duty, and what was certainly not done fails it. The database may be a copy from
 * before the push. `random` spreads the queries of what was pushed together.
 */
export const recordPushes = async (options: {
  database: Database
  reconcileAfterMs: number
  random: () => number
  pushes: readonly Pushed[]
}): Promise<RecordedPushes> => {
  const recorded = await options.database.transaction().execute(async (transaction) => {
    const known = await lockPayments(transaction, options.pushes)
    await takeAnew(transaction, options.pushes, known)
    const findings = await recordLateAccepted({
      transaction,
      known,
      pushes: options.pushes,
      reconcileAfterMs: options.reconcileAfterMs,
      random: options.random,
    })
    await recordUnknown(transaction, options.pushes.filter(isKind('unknown')))
    const notProcessed = await recordLater(transaction, options.pushes.filter(isKind('later')), known)
    const refusals = options.pushes.filter(isKind('refused')).map(toRefusal)
    const settlements = await settle(transaction, [...refusals, ...notProcessed.map(toNotPrompted)])
    crashPoint('record_other_push.before_commit')
    return { settlements, findings }
  })
  crashPoint('record_other_push.after_commit')
  return recorded
}

/**
 * Takes payments that are not taken, although they were pushed: a fail-over to a standby that lagged has lost the
 * commit, and only this process knows. Nobody is prompted again then.
 */
const takeAnew = async (
  transaction: Transaction<Schema>,
  pushes: readonly Pushed[],
  known: ReadonlyMap<bigint, Known>,
): Promise<void> => {
  const pushed = [...pushes.filter(isKind('accepted')), ...pushes.filter(isKind('unknown'))]
  const forgotten = pushed.filter(({ paymentId }) => known.get(paymentId)?.state === 'accepted')
  await movePayments(transaction, forgotten.map(toTaken))
}

/** Those that Daraja took: now to be queried; resolves with ids that are not those that were known. */
const recordLateAccepted = async (options: {
  transaction: Transaction<Schema>
  known: ReadonlyMap<bigint, Known>
  pushes: readonly Pushed[]
  reconcileAfterMs: number
  random: () => number
}): Promise<Finding[]> => {
  const { transaction, known } = options
  const accepted = options.pushes.filter(isKind('accepted'))
  const moved = await movePayments(transaction, accepted.map(toSubmitted))
  const late = accepted.filter(({ paymentId }) => !moved.has(paymentId))
  await fillInIds(transaction, late)
  const open = accepted.filter((push) => moved.has(push.paymentId) || isUnconfirmed(known, push))
  await addQueries(
    transaction,
    open.map(({ paymentId }) => ({
      paymentId,
      afterMs: nextDelay({ firstMs: options.reconcileAfterMs, queries: 0, random: options.random }),
    })),
  )
  await endSubmissions(transaction, accepted.map(idOf))
  return recordFindings(transaction, late.flatMap(differentIds(known)))
}

const recordUnknown = async (
  transaction: Transaction<Schema>,
  unknown: readonly PushedAs<'unknown'>[],
): Promise<void> => {
  const moved = await movePayments(transaction, unknown.map(toUnconfirmed))
  await addConfirmations(transaction, [...moved])
  await endSubmissions(transaction, unknown.map(idOf))
}

/** Those that were certainly not processed: to be submitted again. Resolves with those that were given up meanwhile. */
const recordLater = async (
  transaction: Transaction<Schema>,
  later: readonly PushedAs<'later'>[],
  known: ReadonlyMap<bigint, Known>,
): Promise<PushedAs<'later'>[]> => {
  const lastTakes = await readLastTakes(transaction, later)
  const own = later.filter((push) => lastTakes.get(push.paymentId) === push.take)
  const moved = await movePayments(transaction, own.map(toAccepted))
  await postponeSubmissions(
    transaction,
    own
      .filter(({ paymentId }) => moved.has(paymentId))
      .map(({ paymentId, outcome }) => ({ paymentId, afterMs: outcome.afterMs })),
  )
  return own.filter((push) => isUnconfirmed(known, push))
}

const idOf = ({ paymentId }: Pushed): bigint => paymentId

const isUnconfirmed = (known: ReadonlyMap<bigint, Known>, { paymentId }: Pushed): boolean =>
  known.get(paymentId)?.state === 'unconfirmed'

/** What is known of a payment before the record. */
type Known = RowOf<'payments', 'id' | 'state' | 'checkout_request_id'>

/** In the order of their ids, as every stage does: two transactions that lock the same payments cannot deadlock. */
const lockPayments = async (
  transaction: Transaction<Schema>,
  pushes: readonly Pushed[],
): Promise<Map<bigint, Known>> => {
  const rows = await transaction
    .selectFrom('payments')
    .select(['id', 'state', 'checkout_request_id'])
    .where('id', '=', anyOf('payments.id', pushes.map(idOf)))
    .orderBy('id')
    .forNoKeyUpdate()
    .execute()
  return new Map(rows.map((row) => [row.id, row]))
}

/**
 * How often each payment has been taken, by its history. A record whose commit was answered by a cut connection is
 * repeated: were it to bring back, or fail, a payment that somebody else has taken since, that one's push would be made
 * twice, or be denied (law 2).
 */
const readLastTakes = async (
  transaction: Transaction<Schema>,
  pushes: readonly Pushed[],
): Promise<Map<bigint, number>> => {
  if (pushes.length === 0) return new Map()
  const rows = await transaction
    .selectFrom('payment_history')
    .select((query) => ['payment_id', query.fn.countAll<bigint>().as('takes')])
    .where('payment_id', '=', anyOf('payment_history.payment_id', pushes.map(idOf)))
    .where('to_state', '=', 'submitting')
    .groupBy('payment_id')
    .execute()
  return new Map(rows.map((row) => [row.payment_id, Number(row.takes)]))
}

const toTaken = ({ paymentId }: Pushed): MovedTo => ({
  paymentId,
  from: 'accepted',
  to: 'submitting',
  cause: 'taken_for_submission',
  detail: 'written down after the push: the database had lost it',
})

const toSubmitted = ({ paymentId, outcome }: PushedAs<'accepted'>): MovedTo => ({
  paymentId,
  from: 'submitting',
  to: 'submitted',
  cause: 'push_accepted',
  merchantRequestId: outcome.merchantRequestId,
  checkoutRequestId: outcome.checkoutRequestId,
})

const toAccepted = ({ paymentId, outcome }: PushedAs<'later'>): MovedTo => ({
  paymentId,
  from: 'submitting',
  to: 'accepted',
  cause: 'push_to_be_repeated',
  detail: `${outcome.code} ${outcome.message}`,
})

const toUnconfirmed = ({ paymentId, outcome }: PushedAs<'unknown'>): MovedTo => ({
  paymentId,
  from: 'submitting',
  to: 'unconfirmed',
  cause: 'push_outcome_unknown',
  detail: outcome.reason,
})

const toRefusal = ({ paymentId, outcome }: PushedAs<'refused'>): Evidence => ({
  paymentId,
  outcome: 'failed',
  cause: 'push_refused',
  resultCode: outcome.code,
  resultDesc: outcome.message,
  ...NOTHING_MOVED,
})

/** An answer that came after its payment was given up as unconfirmed, and says for certain that nobody was prompted. */
const toNotPrompted = ({ paymentId }: PushedAs<'later'>): Evidence => ({
  paymentId,
  outcome: 'failed',
  cause: 'push_refused',
  ...NOT_PROMPTED,
  ...NOTHING_MOVED,
})

const NOTHING_MOVED = {
  receipt: null,
  amountKes: null,
  transactionDate: null,
  merchantRequestId: null,
  checkoutRequestId: null,
}

/** The reply to a push names other ids than a callback that came before it. */
const differentIds =
  (before: ReadonlyMap<bigint, Known>) =>
  ({ paymentId, outcome }: PushedAs<'accepted'>): Finding[] => {
    const known = before.get(paymentId)?.checkout_request_id ?? null
    if (known === null || known === outcome.checkoutRequestId) return []
    const sides = [outcome.checkoutRequestId, known].map(maskCheckoutRequestId)
    const detail = `push_accepted: ${sides.join(' beside ')}`
    return [{ paymentId, kind: 'different_checkout_request_id', detail }]
  }

const fillInIds = async (
  transaction: Transaction<Schema>,
  pushes: readonly PushedAs<'accepted'>[],
): Promise<void> => {
  if (pushes.length === 0) return
  await transaction
    .updateTable('payments')
    .from(
      givenRows(pushes, {
        id: ['payments.id', (push) => push.paymentId],
        merchant_request_id: ['payments.merchant_request_id', (push) => push.outcome.merchantRequestId],
        checkout_request_id: ['payments.checkout_request_id', (push) => push.outcome.checkoutRequestId],
      }),
    )
    .set((set) => ({
      merchant_request_id: set.fn.coalesce('payments.merchant_request_id', 'given.merchant_request_id'),
      checkout_request_id: set.fn.coalesce('payments.checkout_request_id', 'given.checkout_request_id'),
    }))
    .whereRef('payments.id', '=', 'given.id')
    .execute()
}
