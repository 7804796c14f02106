import { sql, type Transaction } from 'kysely'
import type { Outcome, PaymentStateName } from '../../database/schema/payments.ts'
import type { Schema } from '../../database/schema/schema.ts'
import { cutText } from '../../values/outside-text.ts'

// Truths that do not fit what was known. None of them moves a payment that the arrows do not move, none is silent: each is
// kept once, shown by `payments show`, logged as an error and counted.

export type FindingKind =
  /** Somebody with authority says that a paid payment failed. It stays paid. */
  | 'failure_after_success'
  /** A paid payment was paid again, or its receipt is told differently. The first receipt stays. */
  | 'different_receipt'
  /** M-PESA moved another amount than was asked for. The payment counts as paid all the same. */
  | 'different_amount'
  /** The evidence names another push than the one whose ids are known. The first ids stay. */
  | 'different_checkout_request_id'

export type Finding = { paymentId: bigint; kind: FindingKind; detail: string }

/** What was known of a payment before a piece of evidence. */
type Known = {
  state: PaymentStateName
  receipt: string | null
  amount_kes: number
  checkout_request_id: string | null
}

/** The part of the evidence that can differ from what is known. */
type Said = {
  paymentId: bigint
  outcome: Outcome
  cause: string
  resultCode: string
  resultDesc: string
  receipt: string | null
  amountKes: number | null
  checkoutRequestId: string | null
}

/** What in a piece of evidence does not fit what is known of its payment. Pure. */
export const findDifferences = (known: Known, said: Said): Finding[] => {
  const findings: Finding[] = []
  const add = (kind: FindingKind, detail: string): void => {
    findings.push({ paymentId: said.paymentId, kind, detail: cutText(`${said.cause}: ${detail}`, 500) })
  }
  const isPaid = said.outcome === 'successful'
  if (known.state === 'successful' && !isPaid) {
    add('failure_after_success', `${said.resultCode} ${said.resultDesc}`)
  }
  if (known.state === 'successful' && isPaid && differ(known.receipt, said.receipt)) {
    add('different_receipt', `${said.receipt} beside ${known.receipt}`)
  }
  if (isPaid && differ(known.amount_kes, said.amountKes)) {
    add('different_amount', `KES ${said.amountKes} paid, KES ${known.amount_kes} asked for`)
  }
  if (differ(known.checkout_request_id, said.checkoutRequestId)) {
    add('different_checkout_request_id', `${said.checkoutRequestId} beside ${known.checkout_request_id}`)
  }
  return findings
}

/** Both are known, and they are not the same. */
const differ = <Value>(one: Value | null, other: Value | null): boolean =>
  one !== null && other !== null && one !== other

/** Keeps findings, in the transaction of the evidence that brought them; resolves with those that are new. */
export const recordFindings = async (
  transaction: Transaction<Schema>,
  findings: readonly Finding[],
): Promise<Finding[]> => {
  if (findings.length === 0) return []
  const { rows } = await sql<{ payment_id: bigint; kind: FindingKind; detail: string }>`
    INSERT INTO payment_findings (payment_id, kind, detail)
    SELECT DISTINCT * FROM unnest(
      ${findings.map((finding) => finding.paymentId)}::bigint[],
      ${findings.map((finding) => finding.kind)}::text[],
      ${findings.map((finding) => finding.detail)}::text[]
    )
    ON CONFLICT DO NOTHING
    RETURNING payment_id, kind, detail
  `.execute(transaction)
  return rows.map((row) => ({ paymentId: row.payment_id, kind: row.kind, detail: row.detail }))
}
