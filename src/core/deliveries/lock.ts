import { sql, type Transaction } from 'kysely'
import { anyOf } from '../../database/expressions.ts'
import type { DeliveryStateName } from '../../database/schema/deliveries.ts'
import type { Schema } from '../../database/schema/schema.ts'
import type { ShownDeliveryState } from './filter.ts'

/** A delivery that nobody else changes before the transaction ends. */
export type LockedDelivery = {
  partnerId: bigint
  state: DeliveryStateName
  /** A dispatcher has it, and is making an attempt. */
  isUnderWay: boolean
  /** It waits for its endpoint. */
  isHeld: boolean
  /** Its duty is locked too. A pending one without was made pending by somebody else while we waited for it. */
  hasDuty: boolean
  /** When it is due, from now, seconds; null without a duty. */
  dueInSeconds: number | null
  /** Its payment has a later outcome, with a delivery of its own: a success after this failure. */
  isOutdated: boolean
}

/** Where it stands, as it is shown (`filter.ts`). */
export const shownStateOf = ({ state, isHeld }: LockedDelivery): ShownDeliveryState =>
  isHeld ? 'held' : state

/** What became of a delivery that an operator named. */
export type ChangeOutcome =
  | 'retried'
  | 'held'
  | 'cancelled'
  | 'waiting'
  | 'under_way'
  | 'already_delivered'
  | 'already_ended'
  | 'outdated'
  | 'not_found'

export type DeliveryChange = { deliveryId: bigint; outcome: ChangeOutcome }

const hasLater = sql<boolean>`EXISTS (
  SELECT FROM deliveries later WHERE later.payment_id = deliveries.payment_id AND later.id > deliveries.id
)`

/**
 * Locks deliveries, first their duties and then themselves, each in the order of the ids, as a dispatcher does: so
 * nobody waits for the other for ever. Those that do not exist are not in the map.
 */
export const lockDeliveries = async (
  transaction: Transaction<Schema>,
  ids: readonly bigint[],
): Promise<Map<bigint, LockedDelivery>> => {
  const duties = await transaction
    .selectFrom('to_deliver')
    .select(['delivery_id', 'held_at', sql<boolean>`leased_until > now()`.as('is_under_way')])
    .select(sql<number>`extract(epoch FROM due_at - now())::float8`.as('due_in_seconds'))
    .where('delivery_id', '=', anyOf(ids))
    .orderBy('delivery_id')
    .forUpdate()
    .execute()
  const deliveries = await transaction
    .selectFrom('deliveries')
    .select(['id', 'partner_id', 'state', hasLater.as('is_outdated')])
    .where('id', '=', anyOf(ids))
    .orderBy('id')
    .forUpdate()
    .execute()
  const dutyOf = new Map(duties.map((duty) => [duty.delivery_id, duty]))
  return new Map(
    deliveries.map(({ id, partner_id, state, is_outdated }) => {
      const duty = dutyOf.get(id)
      return [
        id,
        {
          partnerId: partner_id,
          state,
          isUnderWay: duty?.is_under_way ?? false,
          isHeld: (duty?.held_at ?? null) !== null,
          hasDuty: duty !== undefined,
          dueInSeconds: duty?.due_in_seconds ?? null,
          isOutdated: is_outdated,
        },
      ]
    }),
  )
}
