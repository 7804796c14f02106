import { sql, type Transaction } from 'kysely'
import type { Outcome, PaymentStateName } from '../../database/schema/payments.ts'
import type { Schema } from '../../database/schema/schema.ts'
import { enqueueDeliveries, type OutcomeEvent } from '../deliveries/enqueue.ts'
import { type Finding, findDifferences, recordFindings } from './findings.ts'
import { type Move, recordMoves } from './history.ts'
import { type Cause, decideSettlement, type SettleDecision } from './payment.ts'

/** What somebody with authority says became of a payment. */
export type Evidence = {
  paymentId: bigint
  outcome: Outcome
  cause: Cause
  resultCode: string
  resultDesc: string
  receipt: string | null
  /** How much money moved, KES; null: not said. */
  amountKes: number | null
  /** When the money moved; null: unknown, and then the moment of settling stands for it. */
  transactionDate: Date | null
  /** Daraja's ids, where the evidence has them. */
  merchantRequestId: string | null
  checkoutRequestId: string | null
  /** Whose word it is and why, where it is an operator's; kept in the history. */
  byHand?: { operator: string; reason: string }
}

/** What one piece of evidence did. */
export type Settlement = {
  evidence: Evidence
  /** The state before; null when there is no such payment. */
  from: PaymentStateName | null
  decision: SettleDecision
  /** What in it did not fit what was known, and was not known before. */
  findings: Finding[]
}

type PaymentRow = {
  id: bigint
  partner_id: bigint
  state: PaymentStateName
  msisdn: string
  amount_kes: number
  callback_url: string
  merchant_request_id: string | null
  checkout_request_id: string | null
  result_code: string | null
  result_desc: string | null
  receipt: string | null
  transaction_date: Date | null
  /** The transaction's time, ms. */
  now_ms: number
}

/**
 * Settles payments by evidence, inside the caller's transaction: locks them in the order of their ids, decides each piece
 * of evidence in the order given (several may speak of one payment), and writes states, history, findings, deliveries and
 * ended duties. Resolves with what each piece did, in the same order; the caller tells it once the transaction is committed.
 */
export const settle = async (
  transaction: Transaction<Schema>,
  evidence: readonly Evidence[],
): Promise<Settlement[]> => {
  if (evidence.length === 0) return []
  const rows = await lockPayments(
    transaction,
    evidence.map((one) => one.paymentId),
  )
  const before = new Map([...rows].map(([id, row]) => [id, row.state]))
  const decided = evidence.map((one) => decide(rows.get(one.paymentId), one))
  const changed = new Set(decided.filter(isChange).map(({ evidence: { paymentId } }) => paymentId))
  await writePayments(
    transaction,
    [...rows.values()].filter((row) => changed.has(row.id)),
    before,
  )
  await recordMoves(
    transaction,
    decided.flatMap(({ move }) => move ?? []),
  )
  await enqueueDeliveries(
    transaction,
    decided.flatMap(({ event }) => event ?? []),
  )
  const fresh = await recordFindings(
    transaction,
    decided.flatMap(({ findings }) => findings),
  )
  return decided.map(({ evidence: one, from, decision, findings }) => ({
    evidence: one,
    from,
    decision,
    findings: findings.filter((finding) => takeSame(fresh, finding)),
  }))
}

/** A settlement before it is written, with what is to be written beside the payment itself. */
type Decided = Settlement & { move?: Move; event?: OutcomeEvent }

const isChange = ({ decision }: Decided): boolean =>
  decision.kind === 'move' || decision.kind === 'fill_in_receipt'

/** Decides one piece of evidence, and brings the row to where it leads. */
const decide = (row: PaymentRow | undefined, evidence: Evidence): Decided => {
  if (!row) return { evidence, from: null, decision: { kind: 'known' }, findings: [] }
  const from = row.state
  const decision = decideSettlement({
    from,
    outcome: evidence.outcome,
    receiptKnown: row.receipt !== null,
    bringsReceipt: evidence.receipt !== null,
  })
  const findings = findDifferences(row, evidence)
  const decided = { evidence, from, decision, findings }
  if (decision.kind === 'fill_in_receipt') {
    fillInIds(row, evidence)
    row.receipt = evidence.receipt
    row.transaction_date = evidence.transactionDate ?? row.transaction_date
  }
  if (decision.kind !== 'move') return decided
  applyOutcome(row, evidence)
  return { ...decided, move: toMove(from, evidence), event: toEvent(row, evidence) }
}

const toMove = (from: PaymentStateName, evidence: Evidence): Move => ({
  paymentId: evidence.paymentId,
  from,
  to: evidence.outcome,
  cause: evidence.cause,
  detail: evidence.byHand?.reason ?? evidence.resultCode,
  operator: evidence.byHand?.operator ?? null,
})

/** Removes the finding from those that are new; false when it is not among them. */
const takeSame = (fresh: Finding[], { paymentId, kind, detail }: Finding): boolean => {
  const index = fresh.findIndex(
    (one) => one.paymentId === paymentId && one.kind === kind && one.detail === detail,
  )
  if (index >= 0) fresh.splice(index, 1)
  return index >= 0
}

const lockPayments = async (
  transaction: Transaction<Schema>,
  ids: readonly bigint[],
): Promise<Map<bigint, PaymentRow>> => {
  const { rows } = await sql<PaymentRow>`
    SELECT id, partner_id, state, msisdn, amount_kes, callback_url, merchant_request_id, checkout_request_id,
           result_code, result_desc, receipt, transaction_date, extract(epoch FROM now())::float8 * 1000 AS now_ms
    FROM payments WHERE id = ANY(${ids}::bigint[]) ORDER BY id FOR NO KEY UPDATE
  `.execute(transaction)
  return new Map(rows.map((row) => [row.id, row]))
}

const fillInIds = (row: PaymentRow, evidence: Evidence): void => {
  row.merchant_request_id ??= evidence.merchantRequestId
  row.checkout_request_id ??= evidence.checkoutRequestId
}

const applyOutcome = (row: PaymentRow, evidence: Evidence): void => {
  fillInIds(row, evidence)
  row.state = evidence.outcome
  row.result_code = evidence.resultCode
  row.result_desc = evidence.resultDesc
  row.receipt = evidence.receipt
  row.transaction_date = evidence.transactionDate ?? new Date(row.now_ms)
}

const toEvent = (row: PaymentRow, evidence: Evidence): OutcomeEvent => ({
  paymentId: row.id,
  partnerId: row.partner_id,
  callbackUrl: row.callback_url,
  msisdn: row.msisdn,
  amountKes: row.amount_kes,
  merchantRequestId: row.merchant_request_id,
  checkoutRequestId: row.checkout_request_id,
  resultCode: evidence.resultCode,
  resultDesc: evidence.resultDesc,
  receipt: evidence.receipt,
  transactionDate: row.transaction_date ?? new Date(row.now_ms),
  outcome: evidence.outcome,
})

/** The guarded UPDATE: a row that is not in the state it was decided on fails the transaction (law 4). */
const writePayments = async (
  transaction: Transaction<Schema>,
  rows: readonly PaymentRow[],
  before: ReadonlyMap<bigint, PaymentStateName>,
): Promise<void> => {
  if (rows.length === 0) return
  const ids = rows.map((row) => row.id)
  const { rows: counted } = await sql<{ written: bigint }>`
    WITH given AS (
      SELECT * FROM unnest(
        ${ids}::bigint[],
        ${rows.map((row) => before.get(row.id))}::payment_state[],
        ${rows.map((row) => row.state)}::payment_state[],
        ${rows.map((row) => row.merchant_request_id)}::text[],
        ${rows.map((row) => row.checkout_request_id)}::text[],
        ${rows.map((row) => row.result_code)}::text[],
        ${rows.map((row) => row.result_desc)}::text[],
        ${rows.map((row) => row.receipt)}::text[],
        ${rows.map((row) => row.transaction_date)}::timestamptz[]
      ) AS given (id, from_state, state, merchant_request_id, checkout_request_id, result_code, result_desc, receipt,
                  transaction_date)
    ), written AS (
      UPDATE payments SET
        state = given.state,
        merchant_request_id = given.merchant_request_id,
        checkout_request_id = given.checkout_request_id,
        result_code = given.result_code,
        result_desc = given.result_desc,
        receipt = given.receipt,
        transaction_date = given.transaction_date
      FROM given WHERE payments.id = given.id AND payments.state = given.from_state
      RETURNING payments.id
    ), submitted AS (
      DELETE FROM to_submit WHERE payment_id = ANY(${ids}::bigint[])
    ), queried AS (
      DELETE FROM to_query WHERE payment_id = ANY(${ids}::bigint[])
    ), confirmed AS (
      DELETE FROM to_confirm WHERE payment_id = ANY(${ids}::bigint[])
    )
    SELECT count(*) AS written FROM written
  `.execute(transaction)
  if (counted[0]?.written !== BigInt(rows.length)) throw new Error('a payment changed while it was locked')
}
