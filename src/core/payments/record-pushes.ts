import { sql, type Transaction } from 'kysely'
import type { Database } from '../../database/connect.ts'
import type { Schema } from '../../database/schema/schema.ts'
import { crashPoint } from '../../runtime/crash-point.ts'
import type { PushOutcome } from '../daraja/stk-push.ts'
import { type MovedTo, movePayments } from './move.ts'
import { type Evidence, type Settlement, settle } from './settle.ts'

/** A payment that was pushed, and what came of it. */
export type Pushed = { paymentId: bigint; outcome: PushOutcome }

type OutcomeOf<Kind extends PushOutcome['kind']> = Extract<PushOutcome, { kind: Kind }>
type PushedAs<Kind extends PushOutcome['kind']> = { paymentId: bigint; outcome: OutcomeOf<Kind> }

/**
 * Records what came of pushes, in one transaction, and turns each duty into the next: to query what was accepted, to submit
 * again later what was certainly not processed, nothing for what failed or is unknown. A callback may have settled a payment
 * before: then only Daraja's ids are written down. Resolves with what the refusals did.
 */
export const recordPushes = async (options: {
  database: Database
  reconcileAfterMs: number
  pushes: readonly Pushed[]
}): Promise<Settlement[]> => {
  const settlements = await options.database.transaction().execute(async (transaction) => {
    const accepted = options.pushes.filter(isKind('accepted'))
    const refused = options.pushes.filter(isKind('refused'))
    const later = options.pushes.filter(isKind('later'))
    const unknown = options.pushes.filter(isKind('unknown'))
    await lockPayments(transaction, options.pushes)
    const moved = await movePayments(transaction, [
      ...accepted.map(toSubmitted),
      ...later.map(toAccepted),
      ...unknown.map(toUnconfirmed),
    ])
    await fillInIds(
      transaction,
      accepted.filter((push) => !moved.has(push.paymentId)),
    )
    await addQueries({
      transaction,
      paymentIds: accepted.map((push) => push.paymentId).filter((id) => moved.has(id)),
      afterMs: options.reconcileAfterMs,
    })
    await postponeDuties(
      transaction,
      later.filter((push) => moved.has(push.paymentId)),
    )
    await endDuties(transaction, [...accepted, ...unknown])
    const settled = await settle(transaction, refused.map(toRefusal))
    crashPoint('record_push.before_commit')
    return settled
  })
  crashPoint('record_push.after_commit')
  return settlements
}

const isKind =
  <Kind extends PushOutcome['kind']>(kind: Kind) =>
  (push: Pushed): push is PushedAs<Kind> =>
    push.outcome.kind === kind

/** In the order of their ids, as every stage does: two transactions that lock the same payments never wait in a ring. */
const lockPayments = async (transaction: Transaction<Schema>, pushes: readonly Pushed[]): Promise<void> => {
  const ids = pushes.map((push) => push.paymentId)
  await sql`SELECT FROM payments WHERE id = ANY(${ids}::bigint[]) ORDER BY id FOR NO KEY UPDATE`.execute(
    transaction,
  )
}

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
  receipt: null,
  transactionDate: null,
  merchantRequestId: null,
  checkoutRequestId: null,
})

const fillInIds = async (
  transaction: Transaction<Schema>,
  pushes: readonly PushedAs<'accepted'>[],
): Promise<void> => {
  if (pushes.length === 0) return
  await sql`
    UPDATE payments SET
      merchant_request_id = coalesce(payments.merchant_request_id, given.merchant_request_id),
      checkout_request_id = coalesce(payments.checkout_request_id, given.checkout_request_id)
    FROM unnest(
      ${pushes.map((push) => push.paymentId)}::bigint[],
      ${pushes.map((push) => push.outcome.merchantRequestId)}::text[],
      ${pushes.map((push) => push.outcome.checkoutRequestId)}::text[]
    ) AS given (id, merchant_request_id, checkout_request_id)
    WHERE payments.id = given.id
  `.execute(transaction)
}

const addQueries = async (options: {
  transaction: Transaction<Schema>
  paymentIds: readonly bigint[]
  afterMs: number
}): Promise<void> => {
  if (options.paymentIds.length === 0) return
  await sql`
    INSERT INTO to_query (payment_id, due_at)
    SELECT unnest(${options.paymentIds}::bigint[]), now() + make_interval(secs => ${options.afterMs / 1000})
  `.execute(options.transaction)
}

/** Due again after the pause that the answer asked for, or when the submit-by deadline passes: then it fails at once. */
const postponeDuties = async (
  transaction: Transaction<Schema>,
  pushes: readonly PushedAs<'later'>[],
): Promise<void> => {
  if (pushes.length === 0) return
  await sql`
    UPDATE to_submit SET
      leased_until = '-infinity',
      due_at = least(now() + make_interval(secs => given.after_seconds), payments.submit_by)
    FROM unnest(
      ${pushes.map((push) => push.paymentId)}::bigint[],
      ${pushes.map((push) => push.outcome.afterMs / 1000)}::double precision[]
    ) AS given (payment_id, after_seconds)
    JOIN payments ON payments.id = given.payment_id
    WHERE to_submit.payment_id = given.payment_id
  `.execute(transaction)
}

const endDuties = async (transaction: Transaction<Schema>, pushes: readonly Pushed[]): Promise<void> => {
  if (pushes.length === 0) return
  const ids = pushes.map((push) => push.paymentId)
  await sql`DELETE FROM to_submit WHERE payment_id = ANY(${ids}::bigint[])`.execute(transaction)
}
