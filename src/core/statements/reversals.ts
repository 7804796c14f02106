import { sql, type Transaction } from 'kysely'
import type { Schema } from '../../database/schema/schema.ts'
import { recordExceptions } from './exceptions.ts'
import type { StatementLine } from './read-statement.ts'
import { findProven } from './store-lines.ts'

/** A line that withdrew what another paid in, whose receipt it names. */
export type Reversal = StatementLine & { linkedReceipt: string }

/** Whether a line gave something back. */
export const isReversal = (line: StatementLine): line is Reversal =>
  line.isCompleted &&
  line.withdrawnCents > 0 &&
  line.linkedReceipt !== null &&
  /revers/i.test(line.reason ?? '')

/**
 * Keeps what was given back, whether or not its receipt proves a payment here: it may by a line that comes later, and until
 * then the exception says nothing, but keeps others from saying that the receipt is to be settled with.
 */
export const recordReversals = async (
  transaction: Transaction<Schema>,
  statementId: bigint,
  lines: readonly Reversal[],
): Promise<void> => {
  if (lines.length === 0) return
  const known = await findKnown(transaction, lines)
  const fresh = lines.filter(({ linkedReceipt }) => !known.has(linkedReceipt))
  const proven = await findProven(
    transaction,
    fresh.map(({ linkedReceipt }) => ({ receipt: linkedReceipt })),
  )
  await recordExceptions(
    transaction,
    statementId,
    fresh.map((line) => ({
      kind: 'reversed',
      receipt: line.linkedReceipt,
      otherReceipt: line.receipt,
      paymentId: proven.get(line.linkedReceipt)?.payment_id ?? null,
      paidCents: line.withdrawnCents,
      completedAt: line.completedAt,
      reference: line.reference,
    })),
  )
}

/** The receipts of which it is known that they were given back. Its payment may be known by now, and was not then. */
const findKnown = async (
  transaction: Transaction<Schema>,
  lines: readonly Reversal[],
): Promise<Set<string>> => {
  const receipts = lines.map(({ linkedReceipt }) => linkedReceipt)
  const { rows } = await sql<{ receipt: string }>`
    SELECT receipt FROM statement_exceptions
    WHERE kind = 'reversed' AND coalesce(receipt, '') = ANY (${receipts}::text[])
  `.execute(transaction)
  return new Set(rows.map(({ receipt }) => receipt))
}
