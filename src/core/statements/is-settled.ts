import { sql } from 'kysely'
import { BETWEEN_PARTS } from '../../database/schema/statements.ts'
import { CLOCKS_DIFFER_S } from '../../values/expires-in.ts'

/** That all of what its receipt, `listed` in the statement, paid was given back, as some statement says. */
const isGivenBack = sql<boolean>`EXISTS (
  SELECT FROM statement_exceptions given_back
  WHERE given_back.kind = 'reversed' AND coalesce(given_back.receipt, '') = listed.receipt
    AND given_back.paid_cents >= listed.paid_cents
)`

/** That as much was given back of what paid the payment before. */
const isFirstGivenBack = sql<boolean>`EXISTS (
  SELECT FROM statement_exceptions given_back
  WHERE given_back.kind = 'reversed' AND coalesce(given_back.receipt, '') = listed.other_receipt
    AND given_back.paid_cents >= listed.paid_cents
)`

/**
 * That the payment asked to be paid to another paybill or till than its receipt, `listed`, was: known of accounts of partners'
 * own.
 */
export const isPaidElsewhere = sql<boolean>`EXISTS (
  SELECT FROM partner_accounts own
  WHERE own.id = payments.account_id AND NOT EXISTS (
    SELECT FROM statement_lines lines
    WHERE lines.receipt = listed.receipt AND lines.shortcode IN (own.shortcode, own.party_b)
  )
)`

/**
 * That its receipt, `listed`, was paid before the payment was asked for, and when the payment was paid is not known from
 * M-PESA: what a callback or a statement dates is what it is, however clocks differ.
 */
export const isPaidBefore = sql<boolean>`(
  payments.created_at > listed.completed_at + make_interval(secs => ${CLOCKS_DIFFER_S})
  AND coalesce(payments.transaction_date > listed.completed_at + make_interval(secs => ${CLOCKS_DIFFER_S}), false)
)`

/** That its receipt proves a payment, and not one that asked for another amount, to be paid elsewhere, or after it. */
const isProven = sql<boolean>`EXISTS (SELECT FROM receipts WHERE receipts.receipt = listed.receipt) AND NOT EXISTS (
  SELECT FROM payments
  WHERE payments.id = (SELECT receipts.payment_id FROM receipts WHERE receipts.receipt = listed.receipt)
    AND (payments.amount_kes::bigint * 100 <> listed.paid_cents OR ${isPaidElsewhere} OR ${isPaidBefore})
)`

/** That its receipt proves its payment. */
const isPaidByIt = sql<boolean>`EXISTS (
  SELECT FROM receipts WHERE receipts.receipt = listed.receipt AND receipts.payment_id = listed.payment_id
)`

/**
 * That what an exception says, `listed` in the statement, is not so, or no longer: its receipt proves a payment here by now,
 * stands in a statement by now, or was given back; what was given back was paid here only if its receipt proves a payment.
 * Derived, so that whatever mends it ends it.
 */
export const isSettled = sql<boolean>`CASE listed.kind
  WHEN 'paid_there' THEN ${isPaidByIt} OR ${isGivenBack}
  WHEN 'receipt_there' THEN ${isPaidByIt} OR ${isGivenBack}
  WHEN 'unknown_here' THEN ${isProven} OR ${isGivenBack}
  WHEN 'taken_here' THEN ${isGivenBack}
  WHEN 'paid_again' THEN ${isGivenBack} OR ${isFirstGivenBack}
  WHEN 'reversed' THEN NOT EXISTS (SELECT FROM receipts WHERE receipts.receipt = listed.receipt)
  WHEN 'given_back' THEN EXISTS (
    SELECT FROM statement_exceptions named
    WHERE named.kind = 'reversed' AND listed.receipt = ANY (string_to_array(named.other_receipt, ${BETWEEN_PARTS}))
  )
  WHEN 'missing_there' THEN EXISTS (SELECT FROM statement_lines WHERE statement_lines.receipt = listed.receipt)
  ELSE false END`
