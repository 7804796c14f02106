import { type RawBuilder, sql } from 'kysely'
import type { Database } from '../../database/connect.ts'
import { planByIndex } from '../../database/plan-by-size.ts'
import type { RowOf } from '../../database/schema/schema.ts'
import type { Endpoint } from '../../values/endpoint.ts'
import { ownedBy } from './filter.ts'

/** Deliveries that are counted at most: held for an endpoint, dead or cancelled of one, and waiting of all together. */
export const MOST_COUNTED = 10_000

/** How many deliveries are held for an endpoint; `isMore`: there are more than were counted. */
export type Held = { held: number; isMore: boolean }

/** An endpoint as operators see it. */
export type ListedEndpoint = RowOf<
  'endpoints',
  'partner_id' | 'host' | 'state' | 'failures' | 'open_until' | 'paused_at' | 'paused_by'
> & {
  /** Deliveries that wait for an attempt or have one under way; that are held; that are dead or cancelled. */
  pending: number
  held: number
  dead: number
  /** There may be more of these than were counted. */
  pending_or_more: boolean
  held_or_more: boolean
  dead_or_more: boolean
  /** When the oldest of those pending or held that were counted was created. */
  oldest_created_at: Date | null
}

type Sought = {
  partnerId: bigint | null
  isTest: boolean
  /** Only with this host; null: with any. */
  host: string | null
  pausedOnly: boolean
  after: Endpoint | null
  limit: number
  /** Instead of `MOST_COUNTED`. */
  most?: number
}

/**
 * At most `limit` endpoints that failed, are paused, or have held, dead or cancelled deliveries, by partner and host,
 * after the endpoint `after`. Healthy ones are not listed: the history alone knows them. What is read is bounded by how
 * many endpoints there are, however many deliveries they have.
 */
export const listEndpoints = async ({
  database,
  ...sought
}: Sought & { database: Database }): Promise<ListedEndpoint[]> => {
  const { host, pausedOnly, limit, most = MOST_COUNTED } = sought
  const conditions = [
    afterCursor(sought),
    host === null ? sql`true` : sql`host = ${host}`,
    pausedOnly ? sql`paused_at IS NOT NULL` : sql`true`,
  ]
  const statement = sql<ListedEndpoint>`
    WITH RECURSIVE held_ones AS (${endpointsIn('to_deliver', 'held_ones', sought)}),
    ended_ones AS (${endpointsIn('dead_letters', 'ended_ones', sought)}),
    troubled AS (
      SELECT partner_id, host FROM endpoints WHERE ${ownedBy(sought, sql`partner_id`)}
      UNION SELECT partner_id, host FROM held_ones
      UNION SELECT partner_id, host FROM ended_ones
    ),
    listed AS MATERIALIZED (
      SELECT partner_id, host, coalesce(state, 'closed') AS state, coalesce(failures, 0) AS failures,
             CASE WHEN state = 'open' THEN open_until END AS open_until, paused_at, paused_by
      FROM troubled LEFT JOIN endpoints USING (partner_id, host)
      WHERE ${sql.join(conditions, sql` AND `)} ORDER BY partner_id, host LIMIT ${limit}
    ),
    first AS MATERIALIZED (
      SELECT partner_id, host, delivery_id FROM to_deliver WHERE held_at IS NULL ORDER BY due_at LIMIT ${most + 1}
    ),
    waiting AS MATERIALIZED (
      SELECT partner_id, host, count(*)::int AS pending, min(delivery_id) AS oldest_id
      FROM first GROUP BY partner_id, host
    )
    SELECT listed.*, coalesce(pending, 0) AS pending, (SELECT count(*) > ${most} FROM first) AS pending_or_more,
           least(held.count, ${most}) AS held, held.count > ${most} AS held_or_more,
           least(ended.count, ${most}) AS dead, ended.count > ${most} AS dead_or_more,
           (SELECT created_at FROM deliveries WHERE id = least(waiting.oldest_id, held.oldest_id)) AS oldest_created_at
    FROM listed
    LEFT JOIN waiting USING (partner_id, host)
    CROSS JOIN LATERAL (
      SELECT count(*)::int, min(delivery_id) AS oldest_id FROM (${heldFor('listed', most)}) counted
    ) held
    CROSS JOIN LATERAL (
      SELECT count(*)::int FROM (
        SELECT delivery_id FROM dead_letters
        WHERE partner_id = listed.partner_id AND host = listed.host LIMIT ${most + 1}
      ) counted
    ) ended
    ORDER BY listed.partner_id, listed.host
  `
  const { rows } = await planByIndex(database, (transaction) => statement.execute(transaction))
  return rows
}

const afterCursor = ({ after }: Sought): RawBuilder<unknown> =>
  after === null ? sql`true` : sql`(partner_id, host) > (${after.partner_id}, ${after.host})`

/** The endpoints that have rows in a table, as a recursive query `name`: one step of its index for each of them. */
const endpointsIn = (
  table: 'to_deliver' | 'dead_letters',
  name: string,
  sought: Sought,
): RawBuilder<unknown> => {
  const counted = table === 'to_deliver' ? sql`held_at IS NOT NULL` : sql`true`
  const first = (condition: RawBuilder<unknown>): RawBuilder<unknown> => sql`
    SELECT partner_id, host FROM ${sql.table(table)}
    WHERE ${counted} AND ${ownedBy(sought, sql`partner_id`)} AND ${condition} ORDER BY partner_id, host LIMIT 1
  `
  const passed = sql.table(name)
  return sql`
    (${first(afterCursor(sought))})
    UNION ALL
    SELECT next.partner_id, next.host FROM ${passed} passed
    CROSS JOIN LATERAL (${first(sql`(partner_id, host) > (passed.partner_id, passed.host)`)}) next
  `
}

/** The deliveries that are held for the endpoint of a row of `table`, the first due first; one more than are counted. */
export const heldFor = (table: 'endpoints' | 'listed', most = MOST_COUNTED): RawBuilder<unknown> => sql`
  SELECT delivery_id FROM to_deliver
  WHERE partner_id = ${sql.ref(`${table}.partner_id`)} AND host = ${sql.ref(`${table}.host`)} AND held_at IS NOT NULL
  ORDER BY due_at LIMIT ${most + 1}
`

/** What so many rows of `heldFor` say. Pure. */
export const toHeld = (counted: number): Held => ({
  held: Math.min(counted, MOST_COUNTED),
  isMore: counted > MOST_COUNTED,
})
