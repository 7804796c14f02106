import { type RawBuilder, sql } from 'kysely'
import type { Database } from '../../database/connect.ts'
import type { RowOf } from '../../database/schema/schema.ts'
import type { Owner } from './find.ts'
import { idOfEach } from './payment-filter.ts'

// Which payments failed, by the deliveries that say so: an index that has the state of payments would have to be written
// anew with every move of each (decision 43).

/** At most `limit` ids of payments that failed once, from `from` on and below `below`, the newest first. */
export const findFailedIds = async (
  database: Database,
  page: { owner: Owner; from: bigint; below: bigint; limit: number },
): Promise<bigint[]> => {
  const { owner, limit } = page
  const statement =
    typeof owner === 'string'
      ? sql<Found>`
          SELECT failed.payment_id FROM partners CROSS JOIN LATERAL (${ofPartner(page, idOfEach(owner))}) failed
          ORDER BY failed.payment_id DESC LIMIT ${limit}
        `
      : ofPartner(page, sql`${owner.partnerId}::bigint`)
  const { rows } = await statement.execute(database)
  return rows.map(({ payment_id }) => payment_id)
}

type Found = RowOf<'deliveries', 'payment_id'>

/** A `webhook-id` ends in the outcome: it is what the index has. In the order of the negative id no other index is. */
const ofPartner = (
  { from, below, limit }: { from: bigint; below: bigint; limit: number },
  partnerId: RawBuilder<unknown>,
): RawBuilder<Found> => sql`
  SELECT payment_id FROM deliveries
  WHERE partner_id = ${partnerId} AND right(webhook_id, 7) = '_failed'
    AND (-payment_id) <= ${-from} AND (-payment_id) > ${-below}
  ORDER BY (-payment_id) LIMIT ${limit}
`
