import { sql, type Transaction } from 'kysely'
import type { Schema } from '../../database/schema/schema.ts'

/** The payment that each receipt proves, as far as it was looked at. */
export type ReceiptHolders = Map<string, bigint>

/**
 * Enters receipts, each for the payment that it is to prove, and remembers in `holders` whose each is now: who comes first has
 * it, whichever replica it is, for the other waits for its commit. A receipt is given back when the transaction is rolled
 * back. Payments are locked before, and receipts are taken in their order, so that two transactions cannot deadlock.
 */
export const claimReceipts = async (
  transaction: Transaction<Schema>,
  claims: ReceiptHolders,
  holders: ReceiptHolders,
): Promise<void> => {
  const receipts = [...claims.keys()]
  const { rows } = await sql<{ receipt: string }>`
    INSERT INTO receipts (receipt, payment_id)
    SELECT * FROM unnest(${receipts}::text[], ${[...claims.values()]}::bigint[]) AS given (receipt, payment_id)
    ORDER BY receipt
    ON CONFLICT (receipt) DO NOTHING
    RETURNING receipt
  `.execute(transaction)
  const entered = new Set(rows.map(({ receipt }) => receipt))
  for (const [receipt, paymentId] of claims) if (entered.has(receipt)) holders.set(receipt, paymentId)
  await findHolders(
    transaction,
    receipts.filter((receipt) => !entered.has(receipt)),
    holders,
  )
}

/** A second statement, for its snapshot is younger: whoever was first is committed by now, and visible. */
const findHolders = async (
  transaction: Transaction<Schema>,
  receipts: readonly string[],
  holders: ReceiptHolders,
): Promise<void> => {
  if (receipts.length === 0) return
  const { rows } = await sql<{ receipt: string; payment_id: bigint }>`
    SELECT receipt, payment_id FROM receipts WHERE receipt = ANY(${receipts}::text[])
  `.execute(transaction)
  for (const row of rows) holders.set(row.receipt, row.payment_id)
}
