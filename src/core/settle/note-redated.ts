import { sql, type Transaction } from 'kysely'
import { givenRows } from '../../database/given-rows.ts'
import type { Schema } from '../../database/schema/schema.ts'
import type { Change, PaymentRow } from './decide.ts'

const DAY_MS = 24 * 3_600_000

/** East Africa Time has no summer: always three hours ahead of UTC. */
const EAST_AFRICA_MS = 3 * 3_600_000

/**
 * Notes payments that were paid before, and whose money moved on another day of Nairobi than was known then, so that their
 * sums follow: no event says it. `locked` are the payments as they were. Nearly never there is one, and then no statement.
 */
export const noteRedated = async (
  transaction: Transaction<Schema>,
  changes: readonly Change[],
  locked: ReadonlyMap<bigint, PaymentRow>,
): Promise<void> => {
  const redated = changes.flatMap(({ row, settled }) => {
    const before = locked.get(row.id)
    const isNoted = settled === null && before?.state === 'successful' && dayOf(before) !== dayOf(row)
    return isNoted && before.transaction_date !== null
      ? [{ id: row.id, paidAt: before.transaction_date }]
      : []
  })
  if (redated.length === 0) return
  const given = givenRows(redated, {
    payment_id: ['redated_payments.payment_id', ({ id }) => id],
    paid_at: ['redated_payments.paid_at', ({ paidAt }) => paidAt],
  })
  // What is there already is how it stands in the sums.
  await sql`
    INSERT INTO redated_payments (payment_id, paid_at) SELECT payment_id, paid_at FROM ${given}
    ON CONFLICT (payment_id) DO NOTHING
  `.execute(transaction)
}

const dayOf = ({ transaction_date: at }: PaymentRow): number | null =>
  at && Math.floor((at.getTime() + EAST_AFRICA_MS) / DAY_MS)
