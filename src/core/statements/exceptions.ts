import { sql, type Transaction } from 'kysely'
import { givenRows } from '../../database/given-rows.ts'
import type { Schema } from '../../database/schema/schema.ts'

// What of a statement and the payments here does not fit. None of it moves a payment: each is kept once, with what a person
// does about it, and ends when what it says is no longer so, or when a person says that it was seen.

export const EXCEPTION_KINDS = [
  /** Paid there, and not here: failed, unconfirmed or still open. */
  'paid_there',
  /** Paid here by a receipt that nobody told us, and there by one. */
  'receipt_there',
  /** Paid there under a receipt, account number and time of no payment here. */
  'unknown_here',
  /** Paid here by a receipt that the statement of that time does not have. */
  'missing_there',
  /** Paid there, but another amount than was asked for. */
  'different_amount',
  /** A payment that was paid before was paid once more, under another receipt. */
  'paid_again',
  /** Paid there for a payment whose account number the line has, under a receipt that proves another one here. */
  'taken_here',
  /** One receipt stands on two lines. */
  'twice',
  /** Paid here, and given back to the payer there. */
  'reversed',
  /** Given back there, by a line that does not name the receipt that it gave back. */
  'given_back',
] as const

export type ExceptionKind = (typeof EXCEPTION_KINDS)[number]

export const isExceptionKind = (text: string): text is ExceptionKind =>
  EXCEPTION_KINDS.some((kind) => kind === text)

export type NewException = {
  kind: ExceptionKind
  receipt: string | null
  otherReceipt?: string
  paymentId: bigint | null
  paidCents: number | null
  otherCents?: number
  completedAt: Date | null
  reference: string | null
}

/** Keeps what does not fit, once however many statements show it. */
export const recordExceptions = async (
  transaction: Transaction<Schema>,
  statementId: bigint,
  exceptions: readonly NewException[],
): Promise<void> => {
  if (exceptions.length === 0) return
  const given = givenRows(exceptions, {
    kind: ['statement_exceptions.kind', (one) => one.kind],
    receipt: ['statement_exceptions.receipt', (one) => one.receipt],
    other_receipt: ['statement_exceptions.other_receipt', (one) => one.otherReceipt ?? null],
    payment_id: ['statement_exceptions.payment_id', (one) => one.paymentId],
    paid_cents: ['statement_exceptions.paid_cents', (one) => toBigint(one.paidCents)],
    other_cents: ['statement_exceptions.other_cents', (one) => toBigint(one.otherCents ?? null)],
    completed_at: ['statement_exceptions.completed_at', (one) => one.completedAt],
    reference: ['statement_exceptions.reference', (one) => one.reference],
  })
  await sql`
    INSERT INTO statement_exceptions (statement_id, kind, receipt, other_receipt, payment_id, paid_cents, other_cents,
      completed_at, reference)
    SELECT ${statementId}, kind, receipt, other_receipt, payment_id, paid_cents, other_cents, completed_at, reference
    FROM ${given}
    ON CONFLICT DO NOTHING
  `.execute(transaction)
}

const toBigint = (cents: number | null): bigint | null => (cents === null ? null : BigInt(cents))

/** Lines that one statement of SQL looks at: all of a million would take longer than a statement may. */
const LINES_AT_ONCE = 200_000

/** Keeps the lines of a statement that are of no payment here. */
export const recordUnknown = async (
  transaction: Transaction<Schema>,
  statementId: bigint,
  lastLine: number,
): Promise<void> => {
  for (let line = 0; line <= lastLine; line += LINES_AT_ONCE) {
    await sql`
      INSERT INTO statement_exceptions (statement_id, kind, receipt, paid_cents, completed_at, reference)
      SELECT statement_id, 'unknown_here', receipt, paid_cents, completed_at, reference FROM statement_lines
      WHERE statement_id = ${statementId} AND payment_id IS NULL
        AND line >= ${line} AND line < ${line + LINES_AT_ONCE}
      ORDER BY line
      ON CONFLICT DO NOTHING
    `.execute(transaction)
  }
}
