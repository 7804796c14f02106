import type { Database } from '../../database/connect.ts'
import { givenRows } from '../../database/given-rows.ts'
import type { RowOf } from '../../database/schema/schema.ts'
import type { Due } from '../../queue/delivery-stream.ts'

/**
 * A delivery that JetStream says is due, and that the database does not have: an outcome that its partner did not get.
 */
export type LostDelivery = RowOf<'to_deliver', 'delivery_id' | 'partner_id' | 'host'> & {
  partner: string | null
}

/** Of what JetStream has stored, the deliveries that are not there, with the partner's name where the partner is. */
export const findLostDeliveries = (database: Database, stored: readonly Due[]): Promise<LostDelivery[]> => {
  const given = givenRows(stored, {
    delivery_id: ['to_deliver.delivery_id', (due) => due.delivery_id],
    partner_id: ['to_deliver.partner_id', (due) => due.partner_id],
    host: ['to_deliver.host', (due) => due.host],
  })
  return database
    .selectFrom(given)
    .leftJoin('partners', 'partners.id', 'given.partner_id')
    .select(['given.delivery_id', 'given.partner_id', 'partners.name as partner', 'given.host'])
    .distinct()
    .where((eb) =>
      eb.not(eb.exists(eb.selectFrom('deliveries').select('id').whereRef('id', '=', 'given.delivery_id'))),
    )
    .orderBy('given.delivery_id')
    .execute()
}
