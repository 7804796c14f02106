import { sql, type Transaction } from 'kysely'
import { givenRows } from '../../database/given-rows.ts'
import type { Schema } from '../../database/schema/schema.ts'
import { BETWEEN_PARTS } from '../../database/schema/statements.ts'
import { recordLeftPaying } from './assign-lines.ts'
import { recordExceptions } from './exceptions.ts'
import type { StatementLine } from './read-statement.ts'
import { findProven } from './store-lines.ts'

/** A line that withdrew what another paid in, whose receipt it names. */
export type Reversal = StatementLine & { linkedReceipt: string }

/** Whether a line gave something back, of whatever it was. */
export const isGivingBack = (line: StatementLine): boolean =>
  line.isCompleted && line.withdrawnCents > 0 && /revers/i.test(line.reason ?? '')

const isReversal = (line: StatementLine): line is Reversal => line.linkedReceipt !== null

/** What lines gave back of one receipt, by their receipts, which are not kept yet. */
type GivenBack = Pick<Reversal, 'completedAt' | 'reference'> & {
  receipt: string
  by: string[]
  cents: number
}

/** Keeps lines that gave something back, each by the receipt that it names; one that names none is kept by its own. */
export const recordGivenBack = async (
  transaction: Transaction<Schema>,
  statementId: bigint,
  lines: readonly StatementLine[],
): Promise<void> => {
  await recordReversals(transaction, statementId, lines.filter(isReversal))
  await recordExceptions(
    transaction,
    statementId,
    lines
      .filter((line) => !isReversal(line))
      .map(({ receipt, withdrawnCents, completedAt, reference }) => ({
        kind: 'given_back',
        receipt,
        paymentId: null,
        paidCents: withdrawnCents,
        completedAt,
        reference,
      })),
  )
}

/**
 * Keeps what was given back, whether or not its receipt proves a payment here: it may by a line that comes later, and until
 * then the exception says nothing, but keeps others from saying that the receipt is to be settled with. What is given back
 * in parts is one exception with the sum of them, and each line counts once whatever statements have it.
 */
const recordReversals = async (
  transaction: Transaction<Schema>,
  statementId: bigint,
  lines: readonly Reversal[],
): Promise<void> => {
  if (lines.length === 0) return
  const known = await findKnown(transaction, lines)
  const all = gather(lines, known)
  await addToKnown(
    transaction,
    all.filter(({ receipt }) => known.has(receipt)),
  )
  const fresh = all.filter(({ receipt }) => !known.has(receipt))
  const proven = await findProven(transaction, fresh)
  await recordExceptions(
    transaction,
    statementId,
    fresh.map(({ receipt, by, cents, completedAt, reference }) => ({
      kind: 'reversed',
      receipt,
      otherReceipt: by.join(BETWEEN_PARTS),
      paymentId: proven.get(receipt)?.payment_id ?? null,
      paidCents: cents,
      completedAt,
      reference,
    })),
  )
  await recordLeftPaying(
    transaction,
    statementId,
    all.map(({ receipt }) => receipt),
  )
}

/** Of each receipt that was given back the lines that did, as far as they are known; its payment may be known by now. */
const findKnown = async (
  transaction: Transaction<Schema>,
  lines: readonly Reversal[],
): Promise<Map<string, readonly string[]>> => {
  const receipts = lines.map(({ linkedReceipt }) => linkedReceipt)
  const { rows } = await sql<{ receipt: string; by: string }>`
    SELECT receipt, other_receipt AS by FROM statement_exceptions
    WHERE kind = 'reversed' AND coalesce(receipt, '') = ANY (${receipts}::text[])
  `.execute(transaction)
  return new Map(rows.map(({ receipt, by }) => [receipt, by.split(BETWEEN_PARTS)]))
}

const gather = (lines: readonly Reversal[], known: ReadonlyMap<string, readonly string[]>): GivenBack[] => {
  const all = new Map<string, GivenBack>()
  for (const { linkedReceipt, receipt, withdrawnCents, completedAt, reference } of lines) {
    const before = all.get(linkedReceipt)
    if ([...(known.get(linkedReceipt) ?? []), ...(before?.by ?? [])].includes(receipt)) continue
    all.set(linkedReceipt, {
      receipt: linkedReceipt,
      by: [...(before?.by ?? []), receipt],
      cents: (before?.cents ?? 0) + withdrawnCents,
      completedAt,
      reference,
    })
  }
  return [...all.values()]
}

/** More went back than somebody may have acknowledged: it is open again, with what they said of it. */
const addToKnown = async (transaction: Transaction<Schema>, more: readonly GivenBack[]): Promise<void> => {
  if (more.length === 0) return
  const given = givenRows(more, {
    receipt: ['text', ({ receipt }) => receipt],
    by: ['text', ({ by }) => by.join(BETWEEN_PARTS)],
    cents: ['int8', ({ cents }) => BigInt(cents)],
    completed_at: ['statement_exceptions.completed_at', ({ completedAt }) => completedAt],
  })
  await sql`
    UPDATE statement_exceptions SET other_receipt = other_receipt || ${BETWEEN_PARTS} || given.by,
      paid_cents = paid_cents + given.cents, completed_at = greatest(statement_exceptions.completed_at, given.completed_at),
      acknowledged_at = NULL
    FROM ${given}
    WHERE kind = 'reversed' AND coalesce(statement_exceptions.receipt, '') = given.receipt
  `.execute(transaction)
}
