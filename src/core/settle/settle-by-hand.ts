import type { Transaction } from 'kysely'
import type { Database } from '../../database/connect.ts'
import type { Outcome, PaymentStateName } from '../../database/schema/payments.ts'
import type { Schema } from '../../database/schema/schema.ts'
import { crashPoint } from '../../runtime/crash-point.ts'
import { type AuditEntry, recordAudit } from '../audit/record-audit.ts'
import type { Settlement } from './decide.ts'
import type { Evidence } from './evidence.ts'
import { settle } from './settle.ts'

/** An operator's settlement of a payment. */
export type HandSettlement = {
  paymentId: bigint
  outcome: Outcome
  /** M-PESA's receipt; null for a failure. */
  receipt: string | null
  operator: string
  /** From which machine. */
  from: string
  /** Why, for whoever asks later; kept in the history with the operator's name. */
  reason: string
}

/** What came of it. */
export type HandSettled =
  | { kind: 'settled' }
  /** Nothing was changed, since no arrow leads there from the payment's state (null: none such). */
  | { kind: 'unchanged'; state: PaymentStateName | null }
  /** Nothing was changed, since the receipt proves another payment. */
  | { kind: 'receipt_taken'; paymentId: bigint }

/** What a partner reads of a payment that an operator settled; M-PESA gave no code for a failure. */
const OUTCOMES = {
  successful: { resultCode: '0', resultDesc: 'Found paid by an operator of the gateway.' },
  failed: { resultCode: 'NOT_PAID', resultDesc: 'Found not paid by an operator of the gateway.' },
}

/** Thrown to roll back what an operator's settlement did beside moving the payment. */
class Unchanged extends Error {
  readonly settled: HandSettled
  constructor(settled: HandSettled) {
    super('unchanged')
    this.settled = settled
  }
}

/**
 * Settles a payment on an operator's statement: the only way out for one that neither a callback, nor the query, nor
 * M-PESA's records settle. Its partner gets a delivery as always, and the audit log a line. Only along an arrow, so a
 * paid payment stays paid.
 */
export const settleByHand = async (database: Database, request: HandSettlement): Promise<HandSettled> => {
  try {
    await database.transaction().execute(async (transaction) => {
      const [settlement] = await settle(transaction, [toEvidence(request)])
      if (settlement?.decision.kind !== 'move') throw new Unchanged(toRefusal(settlement))
      await recordAudit(transaction, await toEntry(transaction, request, settlement?.from ?? null))
      crashPoint('settle_by_hand.before_commit')
    })
    crashPoint('settle_by_hand.after_commit')
    return { kind: 'settled' }
  } catch (error) {
    if (error instanceof Unchanged) return error.settled
    throw error
  }
}

const toEntry = async (
  transaction: Transaction<Schema>,
  request: HandSettlement,
  from: PaymentStateName | null,
): Promise<AuditEntry> => {
  const payment = await transaction
    .selectFrom('payments')
    .select('partner_id')
    .where('id', '=', request.paymentId)
    .executeTakeFirst()
  return {
    actor: { kind: 'operator', name: request.operator, from: request.from },
    action: 'settled',
    subject: { kind: 'payment', id: request.paymentId },
    partnerId: payment?.partner_id ?? null,
    before: { state: from },
    after: { state: request.outcome, receipt: request.receipt, reason: request.reason },
  }
}

const toRefusal = (settlement: Settlement | undefined): HandSettled => {
  const { decision, from = null } = settlement ?? {}
  return decision?.kind === 'not_believed' && decision.receiptOf !== null
    ? { kind: 'receipt_taken', paymentId: decision.receiptOf }
    : { kind: 'unchanged', state: from }
}

const toEvidence = (request: HandSettlement): Evidence => ({
  paymentId: request.paymentId,
  outcome: request.outcome,
  cause: 'operator',
  ...OUTCOMES[request.outcome],
  receipt: request.receipt,
  amountKes: null,
  transactionDate: null,
  merchantRequestId: null,
  checkoutRequestId: null,
  byHand: { operator: request.operator, reason: request.reason },
})
