import type { Outcome, PaymentStateName } from '../../database/schema/payments.ts'
import type { RowOf } from '../../database/schema/schema.ts'
import { eraseInCheckoutRequestId } from '../../values/checkout-request-id.ts'
import { ERASED_MSISDN } from '../../values/msisdn.ts'
import { isTestId } from '../../values/test-partner.ts'
import type { SettledPayment } from '../outbox/enqueue.ts'
import type { Move } from '../payments/move.ts'
import { ARROWS } from '../payments/states.ts'
import type { Evidence } from './evidence.ts'
import { type Finding, findCollisions } from './findings.ts'
import { judgeIdentity } from './identity.ts'
import type { ReceiptHolders } from './receipts.ts'

/** What settling reads of a payment. */
export const SETTLED_COLUMNS = [
  'id',
  'partner_id',
  'state',
  'msisdn',
  'amount_kes',
  'callback_url',
  'callback_nonce',
  'merchant_request_id',
  'checkout_request_id',
  'result_code',
  'result_desc',
  'receipt',
  'transaction_date',
] as const

/** A payment as it was locked, with the transaction's time, ms; deciding brings it to where the evidence leads. */
export type PaymentRow = RowOf<'payments', (typeof SETTLED_COLUMNS)[number]> & { now_ms: number }

/** What one piece of evidence did. */
export type Settlement = {
  evidence: Evidence
  /** The state before; null when there is no such payment. */
  from: PaymentStateName | null
  decision: SettleDecision
  /** What in it did not fit what was known. */
  findings: Finding[]
  /** Of a test payment: it is in no total. */
  isTest: boolean
}

/** A change of one payment that is to be written. */
export type Change = {
  /** The state before. */
  from: PaymentStateName
  /** The payment as it is to be. */
  row: PaymentRow
  /** Its move, and the outcome that its partner is to read; null where only the receipt is filled in. */
  settled: { move: Move; payment: SettledPayment } | null
}

/** A settlement before it is written; without a change there is nothing to write at the payment. */
export type Decided = Settlement & { change?: Change }

/** Everything that a batch of evidence comes to, and the receipts of which it is to be known to whom they belong. */
export type DecidedBatch = { decided: Decided[]; claims: ReceiptHolders }

/**
 * Decides each piece of evidence in the order given; several may speak of one payment. `holders` says whose a receipt
 * is; one that is not there is taken to be free, and stands in `claims`, for the payment that was the first of the
 * batch to bring it. Pure: `locked` stays as it is.
 */
export const decideBatch = (options: {
  locked: ReadonlyMap<bigint, PaymentRow>
  evidence: readonly Evidence[]
  holders: ReadonlyMap<string, bigint>
}): DecidedBatch => {
  const rows = new Map([...options.locked].map(([id, row]) => [id, { ...row }]))
  const claims: ReceiptHolders = new Map()
  const holderOf = (receipt: string, paymentId: bigint): bigint => {
    const holder = options.holders.get(receipt) ?? claims.get(receipt)
    if (holder === undefined) claims.set(receipt, paymentId)
    return holder ?? paymentId
  }
  const decided = options.evidence.map((one) => decide(rows.get(one.paymentId), one, holderOf))
  return { decided, claims }
}

type HolderOf = (receipt: string, paymentId: bigint) => bigint

/**
 * What is said of a payment whose payer was erased, without the number: what is known has none any more to be held
 * against it, and none comes back.
 */
const withoutErased = ({ msisdn }: PaymentRow, said: Evidence): Evidence =>
  msisdn === ERASED_MSISDN
    ? {
        ...said,
        payerMsisdn: null,
        checkoutRequestId: said.checkoutRequestId && eraseInCheckoutRequestId(said.checkoutRequestId),
      }
    : said

const decide = (row: PaymentRow | undefined, said: Evidence, holderOf: HolderOf): Decided => {
  if (!row) return { evidence: said, from: null, decision: { kind: 'known' }, findings: [], isTest: false }
  const evidence = withoutErased(row, said)
  const from = row.state
  const isTest = isTestId(row.partner_id)
  const identity = judgeIdentity(row, evidence)
  if (identity.kind === 'not_known_yet')
    return { evidence, from, decision: { kind: 'wait' }, findings: [], isTest }
  if (identity.kind === 'other') return notBelieved({ evidence, from, findings: identity.findings, isTest })
  const decision = decideSettlement({
    from,
    outcome: evidence.outcome,
    receiptKnown: row.receipt !== null,
    bringsReceipt: evidence.receipt !== null,
  })
  const findings = findCollisions(row, evidence)
  if (!isChange(decision)) return { evidence, from, decision, findings, isTest }
  const { receipt } = evidence
  const holder = receipt === null ? row.id : holderOf(receipt, row.id)
  if (holder !== row.id) return receiptOfAnother({ evidence, from, holder, isTest })
  const settled =
    decision.kind === 'move'
      ? { move: toMove(from, evidence), payment: applyOutcome(row, evidence) }
      : fillInReceipt(row, evidence)
  // Later evidence of the batch may change the row again.
  return { evidence, from, decision, findings, isTest, change: { from, row: { ...row }, settled } }
}

const isChange = ({ kind }: SettleDecision): boolean => kind === 'move' || kind === 'fill_in_receipt'

const notBelieved = (settlement: Omit<Settlement, 'decision'>): Decided => ({
  ...settlement,
  decision: { kind: 'not_believed', receiptOf: null },
})

const receiptOfAnother = (given: {
  evidence: Evidence
  from: PaymentStateName
  holder: bigint
  isTest: boolean
}): Decided => {
  const { evidence, from, holder, isTest } = given
  const { paymentId, cause, receipt } = evidence
  const detail = `${cause}: ${receipt} is the receipt of payment ${holder}`
  return {
    evidence,
    from,
    decision: { kind: 'not_believed', receiptOf: holder },
    findings: [{ paymentId, kind: 'receipt_of_another_payment', detail }],
    isTest,
  }
}

const fillInReceipt = (row: PaymentRow, evidence: Evidence): null => {
  fillInIds(row, evidence)
  row.receipt = evidence.receipt
  row.transaction_date = evidence.transactionDate ?? row.transaction_date
  return null
}

const fillInIds = (row: PaymentRow, evidence: Evidence): void => {
  row.merchant_request_id ??= evidence.merchantRequestId
  row.checkout_request_id ??= evidence.checkoutRequestId
}

/** Brings the row to the outcome, and returns it as it is now. */
const applyOutcome = (row: PaymentRow, evidence: Evidence): SettledPayment => {
  fillInIds(row, evidence)
  const outcome = {
    state: evidence.outcome,
    result_code: evidence.resultCode,
    result_desc: evidence.resultDesc,
    receipt: evidence.receipt,
    transaction_date: evidence.transactionDate ?? new Date(row.now_ms),
  }
  Object.assign(row, outcome)
  return { ...row, ...outcome }
}

const toMove = (from: PaymentStateName, evidence: Evidence): Move => ({
  paymentId: evidence.paymentId,
  from,
  to: evidence.outcome,
  cause: evidence.cause,
  detail: evidence.byHand?.reason ?? evidence.resultCode,
  operator: evidence.byHand?.operator ?? null,
})

/** What is done with evidence of an outcome. */
export type SettleDecision =
  | { kind: 'move'; to: Outcome }
  /** Already successful, without the receipt that this evidence brings. */
  | { kind: 'fill_in_receipt' }
  /** The same was known: nothing to do. */
  | { kind: 'known' }
  /** A failure after a success: the money moved, so nothing changes, but operators are notified. */
  | { kind: 'contradiction' }
  /**
   * Of another payment, or not shown to be of this one. `receiptOf`: the payment whose receipt it brings, if that is
   * why.
   */
  | { kind: 'not_believed'; receiptOf: bigint | null }
  /** The reply to the push, by which it can be judged, is still to come. */
  | { kind: 'wait' }

/** Decides what evidence of `outcome`, which is of this payment and no other, does to one in state `from`. Pure. */
export const decideSettlement = (options: {
  from: PaymentStateName
  outcome: Outcome
  receiptKnown: boolean
  bringsReceipt: boolean
}): SettleDecision => {
  const { from, outcome } = options
  if (ARROWS[from].includes(outcome)) return { kind: 'move', to: outcome }
  if (from === 'successful' && outcome === 'failed') return { kind: 'contradiction' }
  if (from === 'successful' && options.bringsReceipt && !options.receiptKnown)
    return { kind: 'fill_in_receipt' }
  return { kind: 'known' }
}
