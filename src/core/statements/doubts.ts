import { sql, type Transaction } from 'kysely'
import type { Schema } from '../../database/schema/schema.ts'

/**
 * Judges what a statement's matching says is paid there, once all payments were looked at: a line that is said to have paid
 * several payments has paid none; one that is said to have paid one is that one's. It is no exception where that one is paid
 * here too, by a receipt that nobody told us.
 */
export const settleDoubts = async (transaction: Transaction<Schema>, statementId: bigint): Promise<void> => {
  await sql`
    DELETE FROM statement_exceptions
    WHERE statement_id = ${statementId} AND kind = 'paid_there' AND receipt IN (
      SELECT receipt FROM statement_exceptions
      WHERE statement_id = ${statementId} AND kind = 'paid_there' GROUP BY receipt HAVING count(*) > 1
    )
  `.execute(transaction)
  await sql`
    UPDATE statement_lines SET payment_id = known.payment_id FROM statement_exceptions known
    WHERE known.statement_id = ${statementId} AND known.kind = 'paid_there'
      AND statement_lines.receipt = known.receipt AND statement_lines.payment_id IS NULL
  `.execute(transaction)
  await sql`
    DELETE FROM statement_exceptions
    WHERE statement_id = ${statementId} AND kind = 'paid_there' AND (
      SELECT state = 'successful' AND receipt IS NULL FROM payments
      WHERE payments.id = statement_exceptions.payment_id
    )
  `.execute(transaction)
}
