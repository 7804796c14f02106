import { sql, type Transaction } from 'kysely'
import type { Database } from '../../database/connect.ts'
import { givenRows } from '../../database/given-rows.ts'
import type { Schema } from '../../database/schema/schema.ts'
import { crashPoint } from '../../runtime/crash-point.ts'
import { type Actor, type AuditEntry, recordAudits } from '../audit/record-audit.ts'
import {
  type ChangeOutcome,
  type DeliveryChange,
  type LockedDelivery,
  lockDeliveries,
  shownStateOf,
} from './lock.ts'

export type RetryOptions = {
  database: Database
  actor: Actor
  /** Each once; at most some hundreds, for they are locked together. */
  ids: readonly bigint[]
  /** True: what was delivered is sent once more. */
  sendDeliveredAgain: boolean
  /** True: one that waits, and is due no later than it would become, is left as it is: repeated, it changes nothing. */
  keepsSooner?: boolean
  /** When the first of them is due, from now, and how long after it the next, seconds. */
  delaySeconds: number
  spacingSeconds: number
}

/**
 * Makes deliveries due, in one transaction, and resolves with what became of each, in their order. One that waits for
 * its next attempt gets this one instead, in its place in the schedule; held, it stays held until its endpoint lets it
 * go. One that has ended becomes pending again under its `webhook-id`, its schedule from the start. One whose attempt
 * is under way is left alone: what becomes of it is that attempt's to say. So is one whose payment has a later outcome: a
 * partner that was told of a success is not told of the failure before it.
 */
export const retryDeliveries = async (options: RetryOptions): Promise<DeliveryChange[]> => {
  const changes = await options.database.transaction().execute(async (transaction) => {
    const locked = await lockDeliveries(transaction, options.ids)
    const decided = decideAll(locked, options)
    const due = decided.filter(({ isDue }) => isDue)
    await makeDue(transaction, due)
    await recordAudits(
      transaction,
      due.map((one) => toAudit(options.actor, one)),
    )
    crashPoint('retry_deliveries.before_commit', due.length)
    return decided.map(({ deliveryId, outcome }) => ({ deliveryId, outcome }))
  })
  crashPoint('retry_deliveries.after_commit', changes.length)
  return changes
}

/** A delivery, and what is done to it; `afterSeconds`: when it becomes due, from now, if it does. */
type Decided = DeliveryChange & {
  delivery: LockedDelivery | undefined
  isDue: boolean
  afterSeconds: number
}

/** What is due so much later is due as soon, seconds: a repeated call does not move what the first one queued. */
const AS_SOON_SECONDS = 1

/** In their order; one that is left alone as it cannot be retried takes nobody's turn. */
const decideAll = (
  locked: ReadonlyMap<bigint, LockedDelivery>,
  { ids, sendDeliveredAgain, keepsSooner = false, delaySeconds, spacingSeconds }: RetryOptions,
): Decided[] => {
  let turn = 0
  return ids.map((deliveryId) => {
    const delivery = locked.get(deliveryId)
    const afterSeconds = delaySeconds + turn * spacingSeconds
    const dueInSeconds = delivery?.dueInSeconds ?? Number.POSITIVE_INFINITY
    const isSoonEnough = keepsSooner && dueInSeconds <= afterSeconds + AS_SOON_SECONDS
    const decided = decideRetry(delivery, { sendDeliveredAgain, isSoonEnough })
    if (takesTurn(decided)) turn += 1
    return { deliveryId, delivery, afterSeconds, ...decided }
  })
}

/** Whether what became of a delivery took a turn of the rate: it was made due, or will be about as soon. */
export const takesTurn = ({ outcome }: Pick<DeliveryChange, 'outcome'>): boolean =>
  outcome === 'retried' || outcome === 'held' || outcome === 'waiting'

/** What a retry does to a delivery. Pure. */
export const decideRetry = (
  delivery: LockedDelivery | undefined,
  { sendDeliveredAgain, isSoonEnough }: { sendDeliveredAgain: boolean; isSoonEnough: boolean },
): { outcome: ChangeOutcome; isDue: boolean } => {
  if (delivery === undefined) return { outcome: 'not_found', isDue: false }
  if (delivery.isUnderWay) return { outcome: 'under_way', isDue: false }
  if (delivery.isOutdated) return { outcome: 'outdated', isDue: false }
  if (delivery.isHeld) return { outcome: 'held', isDue: !isSoonEnough }
  if (delivery.state === 'delivered' && !sendDeliveredAgain)
    return { outcome: 'already_delivered', isDue: false }
  if (delivery.state === 'pending' && isSoonEnough) return { outcome: 'waiting', isDue: false }
  // Somebody else retried it a moment ago.
  const isRetried = delivery.state === 'pending' && !delivery.hasDuty
  return { outcome: 'retried', isDue: !isRetried }
}

/**
 * The next publish number of a delivery without a duty is drawn: JetStream swallows a message whose number it has seen
 * within two minutes, and the numbers of before went with the duty.
 */
const makeDue = async (transaction: Transaction<Schema>, due: readonly Decided[]): Promise<void> => {
  if (due.length === 0) return
  const given = givenRows(due, {
    delivery_id: ['deliveries.id', ({ deliveryId }) => deliveryId],
    delay_seconds: ['float8', ({ afterSeconds }) => afterSeconds],
  })
  await sql`
    WITH given AS (
      SELECT * FROM ${given}
    ),
    begun AS (
      UPDATE deliveries
      SET state = 'pending',
          schedule_from = CASE WHEN state = 'pending' THEN schedule_from ELSE attempts END,
          retried_at = CASE WHEN state = 'pending' THEN retried_at ELSE now() END,
          next_attempt_at = now() + make_interval(secs => delay_seconds),
          ended_at = NULL,
          dead_reason = NULL
      FROM given WHERE deliveries.id = given.delivery_id
      RETURNING id, partner_id, host, next_attempt_at
    ),
    revived AS (
      DELETE FROM dead_letters USING given WHERE dead_letters.delivery_id = given.delivery_id
    )
    INSERT INTO to_deliver (delivery_id, partner_id, host, due_at, publish_at, publish_number)
    SELECT id, partner_id, host, next_attempt_at, next_attempt_at, floor(random() * 1000000000)::integer FROM begun
    ON CONFLICT (delivery_id) DO UPDATE SET due_at = excluded.due_at, publish_at = excluded.publish_at
  `.execute(transaction)
}

const toAudit = (actor: Actor, { deliveryId, delivery, outcome }: Decided): AuditEntry => ({
  actor,
  action: 'retried',
  subject: { kind: 'delivery', id: deliveryId },
  partnerId: delivery?.partnerId ?? null,
  before: { state: delivery && shownStateOf(delivery) },
  after: { state: outcome === 'held' ? 'held' : 'pending' },
})
