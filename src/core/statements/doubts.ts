import { sql, type Transaction } from 'kysely'
import type { Schema } from '../../database/schema/schema.ts'
import { assignLines, recordPaidByUnknown } from './assign-lines.ts'

/**
 * Judges what a statement's matching says is paid there, once all payments were looked at: a line whose account number only
 * one payment has is that one's, whatever partners call theirs, and also where its receipt is another's by now; one that is
 * said to have paid several payments, or whose receipt is another's by now, has paid none; one that is said to have paid one
 * is that one's.
 */
export const settleDoubts = async (transaction: Transaction<Schema>, statementId: bigint): Promise<void> => {
  const paidThere = sql`statement_id = ${statementId} AND kind = 'paid_there'`
  await sql`
    DELETE FROM statement_exceptions
    WHERE ${paidThere} AND EXISTS (
      SELECT FROM statement_lines lines
      WHERE lines.receipt = statement_exceptions.receipt AND lines.statement_id = ${statementId}
        AND lines.payment_id <> statement_exceptions.payment_id
    )
  `.execute(transaction)
  await sql`
    DELETE FROM statement_exceptions
    WHERE ${paidThere} AND receipt IN (
      SELECT receipt FROM statement_exceptions WHERE ${paidThere} GROUP BY receipt HAVING count(*) > 1
    )
  `.execute(transaction)
  const isOfAnother = sql`(
    SELECT receipts.payment_id FROM receipts WHERE receipts.receipt = statement_exceptions.receipt
  ) <> payment_id`
  await sql`
    INSERT INTO statement_exceptions (statement_id, kind, receipt, payment_id, paid_cents, completed_at, reference)
    SELECT statement_id, 'taken_here', receipt, payment_id, paid_cents, completed_at, reference
    FROM statement_exceptions
    WHERE ${paidThere} AND ${isOfAnother} AND EXISTS (
      SELECT FROM statement_lines lines
      WHERE lines.receipt = statement_exceptions.receipt AND lines.payment_id = statement_exceptions.payment_id
    )
    ON CONFLICT DO NOTHING
  `.execute(transaction)
  await sql`DELETE FROM statement_exceptions WHERE ${paidThere} AND ${isOfAnother}`.execute(transaction)
  await takeOutPaid(transaction, statementId)
  await sql`
    UPDATE statement_lines SET payment_id = known.payment_id FROM statement_exceptions known
    WHERE known.statement_id = ${statementId} AND known.kind = 'paid_there'
      AND statement_lines.receipt = known.receipt AND statement_lines.payment_id IS NULL
  `.execute(transaction)
}

type Candidate = { receipt: string; id: bigint; has_line: boolean }

/**
 * It is another exception where a payment is paid here too, by a receipt that nobody told us: the line is that one's if it
 * is the only one; of several nobody guesses.
 */
const takeOutPaid = async (transaction: Transaction<Schema>, statementId: bigint): Promise<void> => {
  const { rows } = await sql<Candidate>`
    DELETE FROM statement_exceptions
    WHERE statement_id = ${statementId} AND kind = 'paid_there' AND (
      SELECT state = 'successful' AND receipt IS NULL FROM payments
      WHERE payments.id = statement_exceptions.payment_id
    )
    RETURNING receipt, payment_id AS id,
      EXISTS (SELECT FROM statement_lines WHERE statement_lines.payment_id = statement_exceptions.payment_id) AS has_line
  `.execute(transaction)
  const lines = new Map<bigint, number>()
  for (const { id } of rows) lines.set(id, (lines.get(id) ?? 0) + 1)
  const theirs = rows.filter(({ id, has_line: hasLine }) => !hasLine && lines.get(id) === 1)
  await assignLines(transaction, theirs)
  await recordPaidByUnknown(
    transaction,
    statementId,
    theirs.map(({ id }) => id),
  )
}
