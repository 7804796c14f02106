import { sql } from 'kysely'

/**
 * That what an exception says, `listed` in the statement, is no longer so: its receipt proves a payment here by now, or
 * stands in a statement by now. Derived, so that whatever mends it ends it.
 */
export const isSettled = sql<boolean>`CASE listed.kind
  WHEN 'paid_there' THEN EXISTS (
    SELECT FROM receipts WHERE receipts.receipt = listed.receipt AND receipts.payment_id = listed.payment_id
  )
  WHEN 'unknown_here' THEN EXISTS (SELECT FROM receipts WHERE receipts.receipt = listed.receipt)
  WHEN 'missing_there' THEN EXISTS (SELECT FROM statement_lines WHERE statement_lines.receipt = listed.receipt)
  ELSE false END`
