import type { Transaction } from 'kysely'
import type { Database } from '../../database/connect.ts'
import type { PaymentStateName } from '../../database/schema/payments.ts'
import type { RowOf, Schema } from '../../database/schema/schema.ts'
import { crashPoint } from '../../runtime/crash-point.ts'
import { type Actor, nameOf, recordAudit } from '../audit/record-audit.ts'
import type { Owner } from '../payments/find.ts'
import { CANCELLED } from '../payments/states.ts'
import type { Settlement } from './decide.ts'
import type { Evidence } from './evidence.ts'
import { settle } from './settle.ts'

/** What came of cancelling a payment. */
export type Cancelled =
  /** `settlement`: what was written now; null: it was cancelled before. */
  | { kind: 'cancelled'; settlement: Settlement | null }
  /** Nothing was changed: only a payment in `accepted` can be cancelled. `resultCode` of one that has an outcome. */
  | { kind: 'refused'; state: PaymentStateName; resultCode: string | null }
  /** There is none, or it is another's. */
  | { kind: 'not_found' }

type Cancelling = {
  database: Database
  owner: Owner
  paymentId: bigint
  actor: Actor
  /** Why, for whoever asks later; kept in the history. Null: nothing was said. */
  reason: string | null
}

/**
 * Cancels a payment whose payer nobody has prompted: it fails with a code of its own, and its partner gets that outcome
 * like any other. Who comes first to the row, this or the submit loop, which moves it on to `submitting`, has it: each
 * moves it in an UPDATE that says `accepted`, and after that the other finds it elsewhere (law 2). May be repeated.
 */
export const cancelPayment = async (options: Cancelling): Promise<Cancelled> => {
  const cancelled = await options.database.transaction().execute(async (transaction) => {
    const payment = await lockPayment(transaction, options)
    if (payment === undefined) return { kind: 'not_found' as const }
    const known = decideCancel(payment)
    if (known !== null) return known
    const [settlement = null] = await settle(transaction, [toEvidence(options)])
    await recordAudit(transaction, {
      actor: options.actor,
      action: 'cancelled',
      subject: { kind: 'payment', id: payment.id },
      partnerId: payment.partner_id,
      before: { state: payment.state },
      after: { state: 'failed', result_code: CANCELLED.resultCode, reason: options.reason },
    })
    crashPoint('cancel_payment.before_commit')
    return { kind: 'cancelled' as const, settlement }
  })
  crashPoint('cancel_payment.after_commit', cancelled.kind === 'cancelled' ? 1 : 0)
  return cancelled
}

type LockedPayment = RowOf<'payments', 'id' | 'partner_id' | 'state' | 'result_code'>

/** What is so already, and why it cannot be cancelled; null: it can be. Pure. */
export const decideCancel = ({
  state,
  result_code,
}: Pick<LockedPayment, 'state' | 'result_code'>): Exclude<Cancelled, { kind: 'not_found' }> | null => {
  if (state === 'accepted') return null
  return state === 'failed' && result_code === CANCELLED.resultCode
    ? { kind: 'cancelled', settlement: null }
    : { kind: 'refused', state, resultCode: result_code }
}

const lockPayment = (
  transaction: Transaction<Schema>,
  { owner, paymentId }: Cancelling,
): Promise<LockedPayment | undefined> => {
  const query = transaction
    .selectFrom('payments')
    .select(['id', 'partner_id', 'state', 'result_code'])
    .where('id', '=', paymentId)
    .forNoKeyUpdate()
  const owned = typeof owner === 'string' ? query : query.where('partner_id', '=', owner.partnerId)
  return owned.executeTakeFirst()
}

const toEvidence = ({ paymentId, actor, reason }: Cancelling): Evidence => ({
  paymentId,
  outcome: 'failed',
  cause: 'cancelled',
  ...CANCELLED,
  receipt: null,
  amountKes: null,
  transactionDate: null,
  merchantRequestId: null,
  checkoutRequestId: null,
  byHand: { operator: nameOf(actor), reason },
})
