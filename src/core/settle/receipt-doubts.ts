import { sql, type Transaction } from 'kysely'
import type { RowOf, Schema } from '../../database/schema/schema.ts'

/** What an imported statement of M-PESA has against settling a payment with a receipt. */
export type ReceiptDoubt =
  /** What the receipt paid was given back to the payer, all or a part, by a line of its own. */
  | { kind: 'reversed'; statementId: bigint; by: string; backCents: bigint; at: Date }
  /** The receipt paid another amount than was asked for. */
  | { kind: 'other_amount'; paidCents: bigint; askedKes: number }

/** Resolves with what a statement says against it; null: none says anything. A failure has no receipt. */
export const findReceiptDoubt = async (
  transaction: Transaction<Schema>,
  { receipt, askedKes }: { receipt: string | null; askedKes: number },
): Promise<ReceiptDoubt | null> => {
  if (receipt === null) return null
  return (await findReversal(transaction, receipt)) ?? findOtherAmount(transaction, receipt, askedKes)
}

type ReversalColumn = 'statement_id' | 'other_receipt' | 'paid_cents' | 'completed_at'

/** An import writes each reversal with all of them, by the line that gave it back. */
type ReversalRow = {
  [Column in ReversalColumn]: NonNullable<RowOf<'statement_exceptions', ReversalColumn>[Column]>
}

/** Kept of each receipt that was given back, whatever it proves here, and also where somebody acknowledged it. */
const findReversal = async (
  transaction: Transaction<Schema>,
  receipt: string,
): Promise<ReceiptDoubt | null> => {
  const { rows } = await sql<ReversalRow>`
    SELECT statement_id, other_receipt, paid_cents, completed_at FROM statement_exceptions
    WHERE kind = 'reversed' AND coalesce(receipt, '') = ${receipt}
    LIMIT 1
  `.execute(transaction)
  const [row] = rows
  if (row === undefined) return null
  return {
    kind: 'reversed',
    statementId: row.statement_id,
    by: row.other_receipt,
    backCents: row.paid_cents,
    at: row.completed_at,
  }
}

const findOtherAmount = async (
  transaction: Transaction<Schema>,
  receipt: string,
  askedKes: number,
): Promise<ReceiptDoubt | null> => {
  const line = await transaction
    .selectFrom('statement_lines')
    .select('paid_cents')
    .where('receipt', '=', receipt)
    .where('paid_cents', '!=', BigInt(askedKes) * 100n)
    .limit(1)
    .executeTakeFirst()
  return line === undefined ? null : { kind: 'other_amount', paidCents: line.paid_cents, askedKes }
}
