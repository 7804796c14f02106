import { sql, type Transaction } from 'kysely'
import { anyOf, givenRows } from '../../database/given-rows.ts'
import type { RowOf, Schema } from '../../database/schema/schema.ts'
import { CLOCKS_DIFFER_S, MAX_EXPIRES_IN_SECONDS, PAID_WITHIN_S } from '../../values/expires-in.ts'
import { findIdBounds } from '../payments/id-bounds.ts'
import { assignLines, recordPaidByUnknown } from './assign-lines.ts'
import { settleDoubts } from './doubts.ts'
import { type NewException, recordExceptions } from './exceptions.ts'

/** What Daraja may have been given as a payment's AccountReference; `isUnique`: only this payment has it. */
export type GivenReference = { reference: string; isUnique: boolean }

type PaymentRow = RowOf<
  'payments',
  | 'id'
  | 'amount_kes'
  | 'state'
  | 'receipt'
  | 'created_at'
  | 'submit_by'
  | 'transaction_date'
  | 'reference'
  | 'callback_nonce'
>

/** What a payment is asked for by which its references are made. */
export type Referred = Pick<PaymentRow, 'id' | 'reference' | 'callback_nonce'>

export type Matching = {
  statementId: bigint
  /** The accounts here that the statement is of. */
  accountIds: readonly bigint[]
  /** What it covers. */
  from: Date
  to: Date
  referencesOf: (payment: Referred) => GivenReference[]
}

/** Payments that are looked at in one statement of SQL. */
const BATCH = 1_000

/** A payment that was made so long before the statement begins may be paid in it, ms. */
const MADE_BEFORE_MS = (MAX_EXPIRES_IN_SECONDS + PAID_WITHIN_S) * 1000

/**
 * Goes through the payments of the statement's accounts and time, and keeps those that are paid here and not there, and
 * those that a line of unknown receipt is of, by reference, amount and time. A line that several payments could be of is
 * of none: nobody guesses.
 */
export const matchPayments = async (transaction: Transaction<Schema>, matching: Matching): Promise<void> => {
  const createdFrom = new Date(matching.from.getTime() - MADE_BEFORE_MS)
  const { from, below } = await findIdBounds(transaction, { createdFrom, createdTo: matching.to })
  if (from !== null && below !== null) {
    let after = from - 1n
    for (;;) {
      const payments = await nextPayments(transaction, matching, { after, below })
      const last = payments.at(-1)
      if (last === undefined) break
      await recordMissing(transaction, matching, payments)
      await recordPaid(transaction, matching, payments)
      after = last.id
    }
  }
  await settleDoubts(transaction, matching.statementId)
}

const nextPayments = (
  transaction: Transaction<Schema>,
  { accountIds }: Matching,
  { after, below }: { after: bigint; below: bigint },
): Promise<PaymentRow[]> =>
  transaction
    .selectFrom('payments')
    .select(['id', 'amount_kes', 'state', 'receipt', 'created_at', 'submit_by', 'transaction_date'])
    .select(['reference', 'callback_nonce'])
    .where('id', '>', after)
    .where('id', '<', below)
    .where('account_id', '=', anyOf('payments.account_id', accountIds))
    .where('partner_id', '>', 0n)
    .orderBy('id')
    .limit(BATCH)
    .execute()

/**
 * Paid here in the time of the statement, by receipts that neither it nor another has. What was settled by hand has the time
 * of that, if none other is known: it is held against the statement of when it was asked for.
 */
const recordMissing = async (
  transaction: Transaction<Schema>,
  { statementId, from, to }: Matching,
  payments: readonly PaymentRow[],
): Promise<void> => {
  const isWithin = (at: Date | null): boolean => at !== null && at >= from && at <= to
  const paid = payments.filter(
    (payment) => payment.state === 'successful' && payment.receipt !== null && isWithin(paidAtOf(payment)),
  )
  const receipts = paid.flatMap(({ receipt }) => receipt ?? [])
  const rows = await transaction
    .selectFrom('statement_lines')
    .select('receipt')
    .where('receipt', '=', anyOf('statement_lines.receipt', receipts))
    .execute()
  const there = new Set(rows.map(({ receipt }) => receipt))
  const missing = paid.filter(({ receipt }) => !there.has(receipt ?? ''))
  await recordExceptions(
    transaction,
    statementId,
    missing.map((payment) => ({
      kind: 'missing_there',
      receipt: payment.receipt,
      paymentId: payment.id,
      paidCents: payment.amount_kes * 100,
      completedAt: payment.transaction_date,
      reference: null,
    })),
  )
}

const paidAtOf = ({ transaction_date: at, created_at, submit_by }: PaymentRow): Date | null =>
  at !== null && at.getTime() > submit_by.getTime() + PAID_WITHIN_S * 1000 ? created_at : at

type FoundLine = RowOf<'statement_lines', 'receipt' | 'paid_cents' | 'completed_at' | 'reference'> & {
  id: bigint
  is_unique: boolean
}

/** Lines whose receipt proves no payment here, and whose account number is one of these payments'. */
const recordPaid = async (
  transaction: Transaction<Schema>,
  { statementId, referencesOf }: Matching,
  payments: readonly PaymentRow[],
): Promise<void> => {
  const references = payments.flatMap((payment) =>
    referencesOf(payment).map(({ reference, isUnique }) => ({ payment, reference, isUnique })),
  )
  const given = givenRows(references, {
    id: ['payments.id', ({ payment }) => payment.id],
    created_at: ['payments.created_at', ({ payment }) => payment.created_at],
    submit_by: ['payments.submit_by', ({ payment }) => payment.submit_by],
    reference: ['text', ({ reference }) => reference.toUpperCase()],
    is_unique: ['bool', ({ isUnique }) => isUnique],
  })
  const { rows } = await sql<FoundLine>`
    SELECT given.id, given.is_unique, lines.receipt, lines.paid_cents, lines.completed_at, lines.reference
    FROM ${given} CROSS JOIN LATERAL (
      SELECT receipt, paid_cents, completed_at, reference FROM statement_lines
      WHERE statement_id = ${statementId} AND upper(reference) = given.reference AND payment_id IS NULL
        AND completed_at >= given.created_at - make_interval(secs => ${CLOCKS_DIFFER_S})
        AND completed_at <= given.submit_by + make_interval(secs => ${PAID_WITHIN_S})
      OFFSET 0
    ) lines
  `.execute(transaction)
  const byId = new Map(payments.map((payment) => [payment.id, payment]))
  const exceptions = rows.flatMap((row) => {
    const payment = byId.get(row.id)
    return payment === undefined ? [] : judge(payment, row)
  })
  await recordExceptions(transaction, statementId, exceptions)
  const isProven = (row: FoundLine): boolean => byId.get(row.id)?.receipt === row.receipt
  const theirs = rows.filter((row) => row.is_unique || isProven(row))
  await assignLines(transaction, theirs)
  const isPaidByUnknown = ({ state, receipt }: PaymentRow): boolean =>
    state === 'successful' && receipt === null
  const paidByUnknown = theirs.flatMap(({ id }) => {
    const payment = byId.get(id)
    return payment !== undefined && isPaidByUnknown(payment) ? [id] : []
  })
  await recordPaidByUnknown(transaction, statementId, paidByUnknown)
}

/** What it means that a line has a payment's reference. */
const judge = (payment: PaymentRow, line: FoundLine): NewException[] => {
  const exception = {
    receipt: line.receipt,
    paymentId: payment.id,
    paidCents: Number(line.paid_cents),
    completedAt: line.completed_at,
    reference: line.reference,
  }
  const isPaid = payment.state === 'successful'
  const isWholeAmount = exception.paidCents === payment.amount_kes * 100
  // Its receipt came here after the line was stored.
  if (payment.receipt === line.receipt)
    return isWholeAmount ? [] : [{ ...exception, kind: 'different_amount' }]
  // What a partner calls a payment, its buyers may pay by hand too. One that is paid by a receipt that nobody knows may be
  // meant as well: `settleDoubts` takes it out again.
  const mayBeMeant = isWholeAmount && !(isPaid && payment.receipt !== null)
  if (!line.is_unique) return mayBeMeant ? [{ ...exception, kind: 'paid_there' }] : []
  if (isPaid && payment.receipt !== null)
    return [{ ...exception, kind: 'paid_again', otherReceipt: payment.receipt }]
  if (!isWholeAmount) return [{ ...exception, kind: 'different_amount' }]
  return isPaid ? [] : [{ ...exception, kind: 'paid_there' }]
}
