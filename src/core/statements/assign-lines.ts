import { sql, type Transaction } from 'kysely'
import { anyOf, givenRows } from '../../database/given-rows.ts'
import type { Schema } from '../../database/schema/schema.ts'

/** Says of lines whose payment nobody knew which payment each is of. */
export const assignLines = async (
  transaction: Transaction<Schema>,
  lines: readonly { receipt: string; id: bigint }[],
): Promise<void> => {
  if (lines.length === 0) return
  const given = givenRows(lines, {
    receipt: ['statement_lines.receipt', ({ receipt }) => receipt],
    id: ['payments.id', ({ id }) => id],
  })
  await sql`
    UPDATE statement_lines SET payment_id = given.id FROM ${given}
    WHERE statement_lines.receipt = given.receipt AND statement_lines.payment_id IS NULL
  `.execute(transaction)
}

/**
 * Keeps, of payments that are paid by a receipt that nobody told us, the first line that was not given back as the one that
 * has the receipt, unless it is of another amount, and all others as paid once more: each is paid once.
 */
export const recordPaidByUnknown = async (
  transaction: Transaction<Schema>,
  statementId: bigint,
  paymentIds: readonly bigint[],
): Promise<void> => {
  if (paymentIds.length === 0) return
  await sql`
    INSERT INTO statement_exceptions (statement_id, kind, receipt, other_receipt, payment_id, paid_cents, completed_at,
      reference)
    SELECT ${statementId}, CASE WHEN receipt = first_receipt THEN 'receipt_there' ELSE 'paid_again' END, receipt,
      nullif(first_receipt, receipt), payment_id, paid_cents, completed_at, reference
    FROM (
      SELECT DISTINCT ON (payment_id, receipt) receipt, payment_id, paid_cents, completed_at, reference,
        first_value(receipt) OVER (PARTITION BY payment_id ORDER BY completed_at, receipt) AS first_receipt
      FROM statement_lines
      WHERE payment_id = ${anyOf('payments.id', paymentIds)} AND NOT EXISTS (
        SELECT FROM statement_exceptions given_back
        WHERE given_back.kind = 'reversed' AND coalesce(given_back.receipt, '') = statement_lines.receipt
          AND given_back.paid_cents >= statement_lines.paid_cents
      )
      ORDER BY payment_id, receipt, completed_at
    ) lines
    WHERE receipt <> first_receipt OR paid_cents = (
      SELECT amount_kes::bigint * 100 FROM payments WHERE payments.id = lines.payment_id
    )
    ON CONFLICT (kind, coalesce(receipt, ''), coalesce(payment_id, 0)) DO UPDATE
      SET other_receipt = excluded.other_receipt
      WHERE statement_exceptions.other_receipt <> excluded.other_receipt
  `.execute(transaction)
}

/**
 * The same once receipts were given back: of lines that were paid once more beside one of them, the next is the one that has
 * the receipt.
 */
export const recordLeftPaying = async (
  transaction: Transaction<Schema>,
  statementId: bigint,
  givenBack: readonly string[],
): Promise<void> => {
  const { rows } = await sql<{ id: bigint }>`
    SELECT DISTINCT payments.id FROM statement_lines
    JOIN statement_exceptions again ON again.payment_id = statement_lines.payment_id
      AND again.kind = 'paid_again' AND again.other_receipt = statement_lines.receipt
    JOIN payments ON payments.id = statement_lines.payment_id
    WHERE statement_lines.receipt = ${anyOf('statement_lines.receipt', givenBack)}
      AND payments.state = 'successful' AND payments.receipt IS NULL
  `.execute(transaction)
  await recordPaidByUnknown(
    transaction,
    statementId,
    rows.map(({ id }) => id),
  )
}
