import { sql, type Transaction } from 'kysely'
import { givenRows } from '../../database/given-rows.ts'
import type { PaymentStateName } from '../../database/schema/payments.ts'
import type { Schema } from '../../database/schema/schema.ts'
import { truncateText } from '../../values/outside-text.ts'
import type { Evidence } from './evidence.ts'

// Reports that contradict what is known. None of them moves a payment, none is dropped: each is kept once, shown by
// `payments show`, logged as an error and counted.

export const FINDING_KINDS = [
  /** Somebody with authority says that a paid payment failed. It stays paid. */
  'failure_after_success',
  /** A paid payment was paid again, or another receipt is reported for it. The first receipt stays. */
  'different_receipt',
  /** The evidence, or M-PESA's records, name another amount than was requested. */
  'different_amount',
  /** The evidence names another push than the one whose ids are known. The first ids stay. */
  'different_checkout_request_id',
  /** The same, by the other id of a push. */
  'different_merchant_request_id',
  /** The evidence names another payer. */
  'different_payer',
  /** A callback came to the URL of another payment that had this id, in a database that was put back since. */
  'of_another_payment',
  /** Nothing shows that the evidence is of this payment and no other. */
  'not_proven',
  /** The receipt stands at another payment already. */
  'receipt_of_another_payment',
] as const

export type FindingKind = (typeof FINDING_KINDS)[number]

export const isFindingKind = (text: string): text is FindingKind =>
  FINDING_KINDS.some((kind) => kind === text)

export type Finding = { paymentId: bigint; kind: FindingKind; detail: string }

/** What a payment came to before a piece of evidence. */
type Known = { state: PaymentStateName; receipt: string | null }

const MAX_DETAIL = 500

/** What in evidence of this very payment does not fit what it came to before. Pure. */
export const findCollisions = (known: Known, said: Evidence): Finding[] => {
  if (known.state !== 'successful') return []
  const found = (kind: FindingKind, detail: string): Finding[] => [
    { paymentId: said.paymentId, kind, detail: truncateText(`${said.cause}: ${detail}`, MAX_DETAIL) },
  ]
  if (said.outcome === 'failed')
    return found('failure_after_success', `${said.resultCode} ${said.resultDesc}`)
  const isAnother = known.receipt !== null && said.receipt !== null && known.receipt !== said.receipt
  return isAnother ? found('different_receipt', `${said.receipt} beside ${known.receipt}`) : []
}

/** The payment, paid by another receipt, that a receipt was reported for as the second, as `findCollisions` words it. */
export const findReportedFor = async (
  transaction: Transaction<Schema>,
  { paymentId, receipt }: { paymentId: bigint; receipt: string },
): Promise<{ payment_id: bigint; paid_by: string } | undefined> => {
  const { rows } = await sql<{ payment_id: bigint; paid_by: string }>`
    SELECT payment_id, split_part(detail, ' beside ', 2) AS paid_by FROM payment_findings
    WHERE kind = 'different_receipt' AND payment_id <> ${paymentId}
      AND split_part(substr(detail, strpos(detail, ': ') + 2), ' beside ', 1) = ${receipt}
    ORDER BY id LIMIT 1
  `.execute(transaction)
  return rows[0]
}

/** Keeps findings, in the transaction of the evidence that brought them; resolves with those that are new. */
export const recordFindings = async (
  transaction: Transaction<Schema>,
  findings: readonly Finding[],
): Promise<Finding[]> => {
  if (findings.length === 0) return []
  const given = givenRows(findings, {
    payment_id: ['payment_findings.payment_id', (finding) => finding.paymentId],
    kind: ['payment_findings.kind', (finding) => finding.kind],
    detail: ['payment_findings.detail', (finding) => finding.detail],
  })
  const rows = await transaction
    .insertInto('payment_findings')
    .columns(['payment_id', 'kind', 'detail'])
    .expression((query) =>
      query.selectFrom(given).select(['payment_id', 'given.kind', 'given.detail']).distinct(),
    )
    .onConflict((conflict) => conflict.doNothing())
    .returning(['payment_id', 'kind', 'detail'])
    .$narrowType<{ kind: FindingKind }>()
    .execute()
  return rows.map((row) => ({ paymentId: row.payment_id, kind: row.kind, detail: row.detail }))
}
