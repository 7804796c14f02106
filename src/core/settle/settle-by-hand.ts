import { sql, type Transaction } from 'kysely'
import type { Database } from '../../database/connect.ts'
import type { Outcome, PaymentStateName } from '../../database/schema/payments.ts'
import type { Schema } from '../../database/schema/schema.ts'
import { crashPoint } from '../../runtime/crash-point.ts'
import { isTestReceipt } from '../../values/receipt.ts'
import { isTestId } from '../../values/test-partner.ts'
import { type Actor, type AuditEntry, nameOf, recordAudit } from '../audit/record-audit.ts'
import { findPayment, type Owner, type PaymentRow } from '../payments/find.ts'
import { decideSettlement, type Settlement } from './decide.ts'
import type { Evidence } from './evidence.ts'
import { findPaidAt, findReceiptDoubts, type ReceiptDoubt } from './receipt-doubts.ts'
import { settle } from './settle.ts'

/** An operator's settlement of a payment. */
export type HandSettlement = {
  paymentId: bigint
  /** Whose it must be. */
  owner: Owner
  outcome: Outcome
  /** M-PESA's receipt; null for a failure. */
  receipt: string | null
  actor: Actor
  /** Why, for whoever asks later; kept in the history with the operator's name. */
  reason: string
  /**
   * Also while the gateway itself may still settle it, and where a statement speaks against it: true, whatever does; else
   * only in spite of doubts of these kinds.
   */
  anyway: boolean | readonly string[]
  /** All of it is done, and rolled back. */
  isRehearsal: boolean
}

/** What speaks against settling a payment, unless its operator says otherwise. */
export type SettleDoubt =
  | ReceiptDoubt
  /** Its payer may still be prompted, or Daraja be asked, or M-PESA's records be looked at, at that time. */
  | { kind: 'may_settle_itself'; duty: 'push' | 'query' | 'pull'; dueAt: Date }

/** What came of it. */
export type HandSettled =
  /**
   * Or would be, or has the receipt filled in that it lacked; `payment` as it is then, `doubts` those in spite of which it
   * is.
   */
  | { kind: 'settled'; settlement: Settlement; payment: PaymentRow; doubts: SettleDoubt[] }
  /** Nothing was changed, since no arrow leads there from the payment's state (null: none such). */
  | { kind: 'unchanged'; state: PaymentStateName | null }
  /** Nothing was changed, since the receipt proves another payment. */
  | { kind: 'receipt_taken'; paymentId: bigint }
  /** Nothing was changed: M-PESA's receipts prove no test payment (`isTest`), and those of test payments no other. */
  | { kind: 'receipt_of_other_kind'; isTest: boolean }
  /** Nothing was changed, since that speaks against it. */
  | SettleDoubt

/** What a partner reads of a payment that an operator settled; M-PESA gave no code for a failure. */
const OUTCOMES = {
  successful: { resultCode: '0', resultDesc: 'Found paid by an operator of the gateway.' },
  failed: { resultCode: 'NOT_PAID', resultDesc: 'Found not paid by an operator of the gateway.' },
}

/** Thrown to roll back what an operator's settlement did. */
class RolledBack extends Error {
  readonly settled: HandSettled
  constructor(settled: HandSettled) {
    super('rolled back')
    this.settled = settled
  }
}

/**
 * Settles a payment on an operator's statement: the only way out for one that neither a callback, nor the query, nor
 * M-PESA's records settle; one that they may settle yet is left to them, unless the operator says otherwise. Its partner
 * gets a delivery as always, and the audit log a line. Only along an arrow, so a paid payment stays paid; the receipt that
 * one lacks is filled in, with a line of the audit log, and no delivery: its partner knows that it is paid.
 */
export const settleByHand = async (database: Database, request: HandSettlement): Promise<HandSettled> => {
  try {
    const settled = await database.transaction().execute(async (transaction) => {
      const done = await settleWithin(transaction, request)
      if (done.kind !== 'settled' || request.isRehearsal) throw new RolledBack(done)
      crashPoint('settle_by_hand.before_commit')
      return done
    })
    crashPoint('settle_by_hand.after_commit')
    return settled
  } catch (error) {
    if (error instanceof RolledBack) return error.settled
    throw error
  }
}

/** The same in a transaction of the caller's, who rolls it back when it came to nothing. */
export const settleWithin = async (
  transaction: Transaction<Schema>,
  request: HandSettlement,
): Promise<HandSettled> => {
  const done = await settleOne(transaction, request)
  if (done.kind === 'settled') await recordAudit(transaction, toEntry(request, done))
  return done
}

const settleOne = async (transaction: Transaction<Schema>, request: HandSettlement): Promise<HandSettled> => {
  const { paymentId, owner } = request
  const asked = await findPayment(transaction, owner, paymentId)
  if (asked === undefined) return { kind: 'unchanged', state: null }
  const { receipt } = request
  const isTest = isTestId(asked.partner_id)
  if (receipt !== null && isTestReceipt(receipt) !== isTest) return { kind: 'receipt_of_other_kind', isTest }
  const doubts: SettleDoubt[] = isNews(asked, request)
    ? await findReceiptDoubts(transaction, {
        paymentId,
        accountId: asked.account_id,
        receipt,
        askedKes: asked.amount_kes,
        askedAt: asked.created_at,
      })
    : []
  const doubt = doubts.find(isInTheWay(request))
  if (doubt !== undefined) return doubt
  // Before it is settled, which ends its duties.
  const duties = await findDuties(transaction, request)
  const evidence = toEvidence(request, await findPaidAt(transaction, receipt))
  const [settlement] = await settle(transaction, [evidence])
  const payment = await findPayment(transaction, owner, paymentId)
  if (settlement === undefined || !isDone(settlement) || payment === undefined) return toRefusal(settlement)
  const duty = duties.find(isInTheWay(request))
  return duty ?? { kind: 'settled', settlement, payment, doubts: [...doubts, ...duties] }
}

const isInTheWay =
  ({ anyway }: HandSettlement) =>
  ({ kind }: SettleDoubt): boolean =>
    typeof anyway === 'boolean' ? !anyway : !anyway.includes(kind)

/** Whether it would change anything. */
const isNews = (asked: PaymentRow, { outcome, receipt }: HandSettlement): boolean => {
  const { kind } = decideSettlement({
    from: asked.state,
    outcome,
    receiptKnown: asked.receipt !== null,
    bringsReceipt: receipt !== null,
  })
  return kind === 'move' || kind === 'fill_in_receipt'
}

const isDone = ({ decision }: Settlement): boolean => decision.kind === 'move' || isFilledIn({ decision })

/** Whether a payment was paid before, and only the receipt that it lacked is filled in: nobody is told. */
export const isFilledIn = ({ decision }: Pick<Settlement, 'decision'>): boolean =>
  decision.kind === 'fill_in_receipt'

/**
 * By what the gateway itself may settle a payment yet, and when. M-PESA's records can only say that it is paid, and are
 * looked at where they were before: not every account has them.
 */
const findDuties = async (
  transaction: Transaction<Schema>,
  { paymentId, outcome }: HandSettlement,
): Promise<SettleDoubt[]> => {
  const dueAt = async (table: 'to_submit' | 'to_query' | 'to_confirm'): Promise<Date | undefined> => {
    const query = transaction.selectFrom(table).select('due_at').where('payment_id', '=', paymentId)
    const looked = query.where(sql<boolean>`pulls > 0 AND due_at < 'infinity'`)
    return (await (table === 'to_confirm' ? looked : query).executeTakeFirst())?.due_at
  }
  const pushAt = await dueAt('to_submit')
  if (pushAt !== undefined) return [{ kind: 'may_settle_itself', duty: 'push', dueAt: pushAt }]
  const queryAt = await dueAt('to_query')
  if (queryAt !== undefined) return [{ kind: 'may_settle_itself', duty: 'query', dueAt: queryAt }]
  const pullAt = outcome === 'failed' ? await dueAt('to_confirm') : undefined
  return pullAt === undefined ? [] : [{ kind: 'may_settle_itself', duty: 'pull', dueAt: pullAt }]
}

const toEntry = (
  request: HandSettlement,
  { settlement, payment, doubts }: Extract<HandSettled, { kind: 'settled' }>,
): AuditEntry => ({
  actor: request.actor,
  action: 'settled',
  subject: { kind: 'payment', id: request.paymentId },
  partnerId: payment.partner_id,
  before: { state: settlement.from },
  after: {
    state: request.outcome,
    receipt: request.receipt,
    reason: request.reason,
    ...(doubts.length > 0 && { despite: doubts.map(({ kind }) => kind) }),
  },
})

const toRefusal = (settlement: Settlement | undefined): HandSettled => {
  const { decision, from = null } = settlement ?? {}
  return decision?.kind === 'not_believed' && decision.receiptOf !== null
    ? { kind: 'receipt_taken', paymentId: decision.receiptOf }
    : { kind: 'unchanged', state: from }
}

const toEvidence = (request: HandSettlement, transactionDate: Date | null): Evidence => ({
  paymentId: request.paymentId,
  outcome: request.outcome,
  cause: 'operator',
  ...OUTCOMES[request.outcome],
  receipt: request.receipt,
  amountKes: null,
  transactionDate,
  merchantRequestId: null,
  checkoutRequestId: null,
  byHand: { operator: nameOf(request.actor), reason: request.reason },
})
