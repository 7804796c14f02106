import { sql } from 'kysely'
import type { Database } from '../../database/connect.ts'
import type { Due } from '../../queue/delivery-stream.ts'

/** A delivery that JetStream says is due, and that the database does not have: its partner was not told of an outcome. */
export type LostDelivery = { delivery_id: bigint; partner_id: bigint; partner: string | null; host: string }

/** Of what JetStream has stored, the deliveries that are not there, with the partner's name where the partner is. */
export const findLostDeliveries = async (
  database: Database,
  stored: readonly Due[],
): Promise<LostDelivery[]> => {
  const { rows } = await sql<LostDelivery>`
    SELECT DISTINCT given.delivery_id, given.partner_id, partners.name AS partner, given.host
    FROM unnest(
      ${stored.map((due) => due.deliveryId)}::bigint[],
      ${stored.map((due) => due.partnerId)}::bigint[],
      ${stored.map((due) => due.host)}::text[]
    ) AS given (delivery_id, partner_id, host)
    LEFT JOIN partners ON partners.id = given.partner_id
    WHERE NOT EXISTS (SELECT FROM deliveries WHERE deliveries.id = given.delivery_id)
    ORDER BY given.delivery_id
  `.execute(database)
  return rows
}
