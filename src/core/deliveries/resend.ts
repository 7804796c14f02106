import type { Database } from '../../database/connect.ts'
import type { PaymentStateName } from '../../database/schema/payments.ts'
import { MOST_RESENT } from '../../values/resend.ts'
import type { Actor } from '../audit/record-audit.ts'
import type { Owner } from '../payments/find.ts'
import { findPayment } from '../payments/find.ts'
import { type Changed, retryMany } from './change-many.ts'
import { findDelivery, findLatestDelivery, type ListedDelivery } from './find.ts'
import type { ChangeOutcome } from './lock.ts'
import type { OutcomeFilter } from './outcomes.ts'
import { retryDeliveries } from './retry.ts'

/** What came of sending a payment's outcome again. */
export type Resent =
  /** What was done with its delivery, and how that stands now. */
  | { kind: 'resent'; outcome: ChangeOutcome; delivery: ListedDelivery }
  /** Nothing was done: the payment has no outcome yet. */
  | { kind: 'no_outcome'; state: PaymentStateName }
  /** There is no such payment, or it is another's. */
  | { kind: 'not_found' }

/**
 * Sends the latest outcome of a payment again, under the `webhook-id` that it had, whatever became of it before. One
 * that waits and is due now, or has an attempt under way, is left as it is: so it may be repeated.
 */
export const resendOutcome = async (options: {
  database: Database
  owner: Owner
  paymentId: bigint
  actor: Actor
}): Promise<Resent> => {
  const { database, owner, paymentId, actor } = options
  const payment = await findPayment(database, owner, paymentId)
  if (payment === undefined) return { kind: 'not_found' }
  for (;;) {
    const deliveryId = await findLatestDelivery(database, paymentId)
    if (deliveryId === undefined) return { kind: 'no_outcome', state: payment.state }
    const [change] = await retryDeliveries({
      database,
      actor,
      ids: [deliveryId],
      sendDeliveredAgain: true,
      keepsSooner: true,
      delaySeconds: 0,
      spacingSeconds: 0,
    })
    // A success came after the failure since it was looked for; nothing comes after that.
    if (change?.outcome === 'outdated') continue
    const delivery = await findDelivery(database, deliveryId)
    if (change === undefined || delivery === undefined) throw new Error(`delivery ${deliveryId} is gone`)
    return { kind: 'resent', outcome: change.outcome, delivery }
  }
}

/**
 * Sends outcomes again that did not arrive, oldest first, `perSecond` of them a second; those that wait and are due no
 * later than they would become are left as they are, so it may be repeated.
 */
export const resendOutcomes = (options: {
  database: Database
  filter: OutcomeFilter
  perSecond: number
  actor: Actor
}): Promise<Changed> => {
  const { database, filter, perSecond, actor } = options
  return retryMany({
    database,
    actor,
    selection: { outcomes: filter, atMost: MOST_RESENT },
    sendDeliveredAgain: false,
    keepsSooner: true,
    perSecond,
  })
}
