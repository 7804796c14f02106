import { sql, type Transaction } from 'kysely'
import type { DeliveryStateName } from '../../database/schema/deliveries.ts'
import type { Schema } from '../../database/schema/schema.ts'

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
}

/** What became of a delivery that an operator named. */
export type ChangeOutcome =
  | 'retried'
  | 'held'
  | 'cancelled'
  | 'under_way'
  | 'already_delivered'
  | 'already_ended'
  | 'not_found'

export type DeliveryChange = { deliveryId: bigint; outcome: ChangeOutcome }

/**
 * Locks deliveries, first their duties and then themselves, each in the order of the ids, as a dispatcher does: so nobody waits
 * for the other for ever. Those that do not exist are not in the map.
 */
export const lockDeliveries = async (
  transaction: Transaction<Schema>,
  ids: readonly bigint[],
): Promise<Map<bigint, LockedDelivery>> => {
  const { rows: duties } = await sql<{ delivery_id: bigint; is_under_way: boolean; is_held: boolean }>`
    SELECT delivery_id, leased_until > now() AS is_under_way, held_at IS NOT NULL AS is_held
    FROM to_deliver WHERE delivery_id = ANY(${ids}::bigint[])
    ORDER BY delivery_id FOR UPDATE
  `.execute(transaction)
  const { rows: deliveries } = await sql<{ id: bigint; partner_id: bigint; state: DeliveryStateName }>`
    SELECT id, partner_id, state FROM deliveries WHERE id = ANY(${ids}::bigint[]) ORDER BY id FOR UPDATE
  `.execute(transaction)
  const dutyOf = new Map(duties.map((duty) => [duty.delivery_id, duty]))
  return new Map(
    deliveries.map(({ id, partner_id, state }) => {
      const duty = dutyOf.get(id)
      return [
        id,
        {
          partnerId: partner_id,
          state,
          isUnderWay: duty?.is_under_way ?? false,
          isHeld: duty?.is_held ?? false,
          hasDuty: duty !== undefined,
        },
      ]
    }),
  )
}
