import { sql, type Transaction } from 'kysely'
import { anyOf, givenRows } from '../../database/given-rows.ts'
import type { Schema } from '../../database/schema/schema.ts'

// The duties of payments, as one stage leaves them to the next: always in the transaction that makes them necessary, or
// unnecessary. Settling ends all of a payment's.

/** When something is to be done about a payment, ms from now. */
export type Due = { paymentId: bigint; afterMs: number }

/** The instant that many ms after the transaction's, which a column holds. */
const inMs = (column: string) => sql<Date>`now() + make_interval(secs => ${sql.ref(column)} / 1000)`

/** Daraja is to be asked about payments that it gave its ids for. One that has the duty already keeps it. */
export const addQueries = async (transaction: Transaction<Schema>, dues: readonly Due[]): Promise<void> => {
  if (dues.length === 0) return
  const given = givenRows(dues, {
    payment_id: ['payments.id', (due) => due.paymentId],
    after_ms: ['float8', (due) => due.afterMs],
  })
  await transaction
    .insertInto('to_query')
    .columns(['payment_id', 'due_at', 'account_id'])
    .expression((query) =>
      query
        .selectFrom(given)
        .innerJoin('payments', 'payments.id', 'given.payment_id')
        .where('payments.checkout_request_id', 'is not', null)
        .select(['given.payment_id', inMs('given.after_ms').as('due_at'), 'payments.account_id']),
    )
    .onConflict((conflict) => conflict.doNothing())
    .execute()
}

/**
 * Daraja is to be asked about payments as soon as the budget allows, for their outcome was reported in a way that
 * settles nothing. Only those that have the duty, which takes a CheckoutRequestID; one that is being asked for is asked
 * again after, since the answer may be older. A duty that is locked is being taken or ended: waiting for it, with other
 * payments locked, could be waiting for each other.
 */
export const hastenQueries = async (
  transaction: Transaction<Schema>,
  paymentIds: readonly bigint[],
): Promise<void> => {
  if (paymentIds.length === 0) return
  const free = transaction
    .selectFrom('to_query')
    .select('payment_id')
    .where('payment_id', '=', anyOf('to_query.payment_id', paymentIds))
    .forUpdate()
    .skipLocked()
  await transaction
    .updateTable('to_query')
    .set({ due_at: sql`CASE WHEN leased_until > now() THEN now() ELSE least(due_at, now()) END` })
    .where('payment_id', '=', sql<bigint>`ANY (ARRAY(${free}))`)
    .execute()
}

/**
 * Daraja, or M-PESA's records, are to be asked about payments now, for evidence came that is not believed; `failedIds`
 * are those among them that nobody asks for any more, and that Daraja gave its ids for.
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
  const free = transaction
    .selectFrom('to_confirm')
    .select('payment_id')
    .where('payment_id', '=', anyOf('to_confirm.payment_id', paymentIds))
    // `infinity`: M-PESA's records do not go back so far.
    .where('due_at', '<>', sql<Date>`'infinity'`)
    .forUpdate()
    .skipLocked()
  await transaction
    .updateTable('to_confirm')
    .set({ due_at: sql`least(due_at, now())` })
    .where('payment_id', '=', sql<bigint>`ANY (ARRAY(${free}))`)
    .execute()
}

/** M-PESA's records are to confirm payments. */
export const addConfirmations = async (
  transaction: Transaction<Schema>,
  paymentIds: readonly bigint[],
): Promise<void> => {
  if (paymentIds.length === 0) return
  await transaction
    .insertInto('to_confirm')
    .columns(['payment_id', 'account_id'])
    .expression((query) =>
      query
        .selectFrom('payments')
        .select(['id', 'account_id'])
        .where('id', '=', anyOf('payments.id', paymentIds)),
    )
    .onConflict((conflict) => conflict.doNothing())
    .execute()
}

/**
 * M-PESA's records are to bring the receipts of paid payments that have none, where their accounts have Pull Transactions;
 * `byDefault`: the default account has.
 */
export const lookForReceipts = async (
  transaction: Transaction<Schema>,
  paymentIds: readonly bigint[],
  { byDefault }: { byDefault: boolean },
): Promise<void> => {
  if (paymentIds.length === 0) return
  await transaction
    .insertInto('to_confirm')
    .columns(['payment_id', 'account_id'])
    .expression((query) =>
      query
        .selectFrom('payments')
        .leftJoin('partner_accounts as own', 'own.id', 'payments.account_id')
        .select(['payments.id', 'payments.account_id'])
        .where('payments.id', '=', anyOf('payments.id', paymentIds))
        .where('payments.receipt', 'is', null)
        .where(sql<boolean>`CASE payments.account_id WHEN 0 THEN ${byDefault} ELSE own.pull END`),
    )
    .onConflict((conflict) => conflict.doNothing())
    .execute()
}

/**
 * Payments are to be submitted after the pause that the answer asked for, or when their submit-by deadline passes: then
 * they fail at once.
 */
export const postponeSubmissions = async (
  transaction: Transaction<Schema>,
  dues: readonly Due[],
): Promise<void> => {
  if (dues.length === 0) return
  const given = givenRows(dues, {
    payment_id: ['to_submit.payment_id', (due) => due.paymentId],
    after_ms: ['float8', (due) => due.afterMs],
  })
  await transaction
    .updateTable('to_submit')
    .from(given)
    .set({
      leased_until: sql`'-infinity'`,
      due_at: sql`least(${inMs('given.after_ms')}, submit_by)`,
    })
    .whereRef('to_submit.payment_id', '=', 'given.payment_id')
    .execute()
}

/** Payments are not to be submitted any more. */
export const endSubmissions = async (
  transaction: Transaction<Schema>,
  paymentIds: readonly bigint[],
): Promise<void> => {
  if (paymentIds.length === 0) return
  await transaction
    .deleteFrom('to_submit')
    .where('payment_id', '=', anyOf('to_submit.payment_id', paymentIds))
    .execute()
}

/** The longest pause between two queries for one payment, ms. */
const MAX_DELAY_MS = 3_600_000

/**
 * How long to wait before a payment is asked for, ms: `firstMs` at first, half as long again after each of the
 * `queries` that settled nothing, up to an hour; and up to a fifth more at random, so that what was pushed together is
 * not asked together.
 */
export const nextDelay = (options: { firstMs: number; queries: number; random: () => number }): number =>
  Math.round(Math.min(options.firstMs * 1.5 ** options.queries, MAX_DELAY_MS) * (1 + options.random() / 5))
