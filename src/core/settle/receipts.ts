import type { Transaction } from 'kysely'
import { anyOf, givenRows } from '../../database/given-rows.ts'
import type { Schema } from '../../database/schema/schema.ts'

/** The payment that each receipt proves, as far as it was looked at. */
export type ReceiptHolders = Map<string, bigint>

/**
 * Enters receipts, each for the payment that it is to prove, and remembers in `holders` whose each is now: who comes
 * first has it, whichever replica it is, for the other waits for its commit. A receipt is given back when the
 * transaction is rolled back. Payments are locked before, and receipts are taken in their order, so that two
 * transactions cannot deadlock.
 */
export const claimReceipts = async (
  transaction: Transaction<Schema>,
  claims: ReceiptHolders,
  holders: ReceiptHolders,
): Promise<void> => {
  const receipts = [...claims.keys()]
  const given = givenRows([...claims], {
    receipt: ['receipts.receipt', ([receipt]) => receipt],
    payment_id: ['receipts.payment_id', ([, paymentId]) => paymentId],
  })
  const rows = await transaction
    .insertInto('receipts')
    .columns(['receipt', 'payment_id'])
    .expression((query) =>
      query.selectFrom(given).select(['given.receipt', 'payment_id']).orderBy('given.receipt'),
    )
    .onConflict((conflict) => conflict.column('receipt').doNothing())
    .returning('receipt')
    .execute()
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
  const rows = await transaction
    .selectFrom('receipts')
    .select(['receipt', 'payment_id'])
    .where('receipt', '=', anyOf('receipts.receipt', receipts))
    .execute()
  for (const row of rows) holders.set(row.receipt, row.payment_id)
}
