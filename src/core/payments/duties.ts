import { sql, type Transaction } from 'kysely'
import type { Schema } from '../../database/schema/schema.ts'

// The duties of payments, as one stage leaves them to the next: always in the transaction that makes them necessary, or
// unnecessary. Settling ends all of a payment's.

/** When something is to be done about a payment, ms from now. */
export type Due = { paymentId: bigint; afterMs: number }

/** Daraja is to be asked about payments that it gave its ids for. One that has the duty already keeps it. */
export const addQueries = async (transaction: Transaction<Schema>, dues: readonly Due[]): Promise<void> => {
  if (dues.length === 0) return
  await sql`
    INSERT INTO to_query (payment_id, due_at, account_id)
    SELECT payment_id, now() + make_interval(secs => after_ms / 1000), payments.account_id
    FROM unnest(
      ${dues.map((due) => due.paymentId)}::bigint[],
      ${dues.map((due) => due.afterMs)}::double precision[]
    ) AS given (payment_id, after_ms)
    JOIN payments ON payments.id = given.payment_id
    WHERE payments.checkout_request_id IS NOT NULL
    ON CONFLICT DO NOTHING
  `.execute(transaction)
}

/**
 * Daraja is to be asked about payments as soon as the budget allows, for their outcome was reported in a way that settles
 * nothing. Only those that have the duty, which takes a CheckoutRequestID; one that is being asked for is asked again after,
 * since the answer may be older. A duty that is locked is being taken or ended: waiting for it, with other payments locked,
 * could be waiting for each other.
 */
export const hastenQueries = async (
  transaction: Transaction<Schema>,
  paymentIds: readonly bigint[],
): Promise<void> => {
  if (paymentIds.length === 0) return
  await sql`
    UPDATE to_query SET due_at = CASE WHEN leased_until > now() THEN now() ELSE least(due_at, now()) END
    FROM (
      SELECT payment_id FROM to_query WHERE payment_id = ANY(${paymentIds}::bigint[]) FOR UPDATE SKIP LOCKED
    ) AS free
    WHERE to_query.payment_id = free.payment_id
  `.execute(transaction)
}

/**
 * Daraja, or M-PESA's records, are to be asked about payments now, for evidence came that is not believed; `failedIds` are those
 * among them that nobody asks for any more, and that Daraja gave its ids for.
 */
export const askAgain = async (
  transaction: Transaction<Schema>,
  { paymentIds, failedIds }: { paymentIds: readonly bigint[]; failedIds: readonly bigint[] },
): Promise<void> => {
  if (paymentIds.length === 0) return
  await addQueries(
    transaction,
    failedIds.map((paymentId) => ({ paymentId, afterMs: 0 })),
  )
  await hastenQueries(transaction, paymentIds)
  // `infinity`: M-PESA's records do not go back so far.
  await sql`
    UPDATE to_confirm SET due_at = least(due_at, now())
    FROM (
      SELECT payment_id FROM to_confirm
      WHERE payment_id = ANY(${paymentIds}::bigint[]) AND due_at <> 'infinity' FOR UPDATE SKIP LOCKED
    ) AS free
    WHERE to_confirm.payment_id = free.payment_id
  `.execute(transaction)
}

/** M-PESA's records are to confirm payments. */
export const addConfirmations = async (
  transaction: Transaction<Schema>,
  paymentIds: readonly bigint[],
): Promise<void> => {
  if (paymentIds.length === 0) return
  await sql`
    INSERT INTO to_confirm (payment_id, account_id)
    SELECT id, account_id FROM payments WHERE id = ANY(${paymentIds}::bigint[])
    ON CONFLICT DO NOTHING
  `.execute(transaction)
}

/**
 * Payments are to be submitted after the pause that the answer asked for, or when their submit-by deadline passes: then they
 * fail at once.
 */
export const postponeSubmissions = async (
  transaction: Transaction<Schema>,
  dues: readonly Due[],
): Promise<void> => {
  if (dues.length === 0) return
  await sql`
    UPDATE to_submit SET
      leased_until = '-infinity',
      due_at = least(now() + make_interval(secs => given.after_ms / 1000), submit_by)
    FROM unnest(
      ${dues.map((due) => due.paymentId)}::bigint[],
      ${dues.map((due) => due.afterMs)}::double precision[]
    ) AS given (payment_id, after_ms)
    WHERE to_submit.payment_id = given.payment_id
  `.execute(transaction)
}

/** Payments are not to be submitted any more. */
export const endSubmissions = async (
  transaction: Transaction<Schema>,
  paymentIds: readonly bigint[],
): Promise<void> => {
  if (paymentIds.length === 0) return
  await sql`DELETE FROM to_submit WHERE payment_id = ANY(${paymentIds}::bigint[])`.execute(transaction)
}

/** The longest pause between two queries for one payment, ms. */
const MAX_DELAY_MS = 3_600_000

/**
 * How long to wait before a payment is asked for, ms: `firstMs` at first, half as long again after each of the `queries` that
 * settled nothing, up to an hour; and up to a fifth more at random, so that what was pushed together is not asked together.
 */
export const nextDelay = (options: { firstMs: number; queries: number; random: () => number }): number =>
  Math.round(Math.min(options.firstMs * 1.5 ** options.queries, MAX_DELAY_MS) * (1 + options.random() / 5))
