import { sql, type Transaction } from 'kysely'
import type { Database } from '../../database/connect.ts'
import { joinLastErrorClass } from '../../database/expressions.ts'
import type { Schema } from '../../database/schema/schema.ts'
import { crashPoint } from '../../runtime/crash-point.ts'
import { type Actor, type AuditEntry, nameOf, recordAudits } from '../audit/record-audit.ts'
import {
  type ChangeOutcome,
  type DeliveryChange,
  type LockedDelivery,
  lockDeliveries,
  shownStateOf,
} from './lock.ts'

export type CancelOptions = {
  database: Database
  actor: Actor
  /** Each once; at most some hundreds, for they are locked together. */
  ids: readonly bigint[]
  /** Why, for whoever asks later: kept with the delivery. */
  reason: string
}

/**
 * Ends deliveries that wait for their next attempt, in one transaction, and resolves with what became of each, in their
 * order. They are listed like those that are dead, and can be retried. One whose attempt is under way is left alone.
 */
export const cancelDeliveries = async (options: CancelOptions): Promise<DeliveryChange[]> => {
  const changes = await options.database.transaction().execute(async (transaction) => {
    const locked = await lockDeliveries(transaction, options.ids)
    const decided = options.ids.map((deliveryId) => ({
      deliveryId,
      outcome: decideCancel(locked.get(deliveryId)),
    }))
    const ended = decided.filter(({ outcome }) => outcome === 'cancelled').map(({ deliveryId }) => deliveryId)
    await end(transaction, ended, `cancelled by ${nameOf(options.actor)}: ${options.reason}`)
    await recordAudits(
      transaction,
      ended.map((id) => toAudit(options, id, locked.get(id))),
    )
    crashPoint('cancel_deliveries.before_commit', ended.length)
    return decided
  })
  crashPoint('cancel_deliveries.after_commit', changes.length)
  return changes
}

const toAudit = (
  { actor, reason }: CancelOptions,
  id: bigint,
  delivery: LockedDelivery | undefined,
): AuditEntry => ({
  actor,
  action: 'cancelled',
  subject: { kind: 'delivery', id },
  partnerId: delivery?.partnerId ?? null,
  before: { state: delivery && shownStateOf(delivery) },
  after: { state: 'cancelled', reason },
})

/** What cancelling does to a delivery. Pure. */
export const decideCancel = (delivery: LockedDelivery | undefined): ChangeOutcome => {
  if (delivery === undefined) return 'not_found'
  switch (delivery.state) {
    case 'delivered':
      return 'already_delivered'
    case 'dead':
    case 'cancelled':
      return 'already_ended'
    case 'pending':
      // One without a duty of ours to take was retried a moment ago, and may be under way by now.
      return delivery.isUnderWay || !delivery.hasDuty ? 'under_way' : 'cancelled'
    default:
      return delivery.state satisfies never
  }
}

const end = async (
  transaction: Transaction<Schema>,
  ids: readonly bigint[],
  reason: string,
): Promise<void> => {
  if (ids.length === 0) return
  await sql`
    WITH ended AS (
      UPDATE deliveries SET state = 'cancelled', next_attempt_at = NULL, ended_at = now(), dead_reason = ${reason}
      WHERE id = ANY(${ids}::bigint[])
      RETURNING id, partner_id, host, created_at
    ),
    done AS (
      DELETE FROM to_deliver WHERE delivery_id = ANY(${ids}::bigint[])
    )
    INSERT INTO dead_letters (delivery_id, partner_id, host, error_class, reason)
    SELECT id, partner_id, host, last.error_class, ${reason}
    FROM ended ${joinLastErrorClass}
  `.execute(transaction)
}
