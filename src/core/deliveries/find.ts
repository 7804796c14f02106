import { type RawBuilder, sql } from 'kysely'
import type { Database } from '../../database/connect.ts'
import { planByIndex } from '../../database/plan-by-size.ts'
import type { RowOf } from '../../database/schema/schema.ts'
import type { ShownDeliveryState } from './filter.ts'
import { lookForDeliveries, type Sought } from './look.ts'

/** A delivery as operators see it. */
export type ListedDelivery = RowOf<
  'deliveries',
  'payment_id' | 'partner_id' | 'host' | 'webhook_id' | 'attempts' | 'created_at' | 'ended_at'
> &
  RowOf<'to_deliver', 'delivery_id' | 'held_at'> &
  /** Why the last attempt that has ended failed, null when it did not, or there was none; and its HTTP status. */
  RowOf<'attempts', 'error_class' | 'status'> & {
    state: ShownDeliveryState
    is_under_way: boolean
    /** When the next attempt is due; null when none is, and while it is held. */
    next_attempt_at: Date | null
    /** What its endpoint is, for which it is held; null when it is not. */
    held_because: HeldBecause | null
    /** When its endpoint is asked next whether it is back; null when that is not known, or it is not held. */
    held_until: Date | null
    /** Why it is dead or cancelled. */
    reason: string | null
  }

/**
 * Why a delivery is held: its endpoint is `paused`, `down`, being asked whether it is back (`probing`), or back, and
 * what was held for it goes out a little a second (`ramping`).
 */
export type HeldBecause = 'paused' | 'down' | 'probing' | 'ramping'

/** Attempts that `findAttempts` shows at most: a schedule has fourteen, and each retry may begin it anew. */
const MAX_ATTEMPTS = 200

/**
 * At most `limit` deliveries with an id below `before` (null: the newest), newest first, as one look finds them: a page
 * costs the same however far back it is, and nothing is skipped or shown twice while others come in.
 */
export const listDeliveries = ({
  database,
  ...sought
}: Sought & { database: Database }): Promise<{
  deliveries: ListedDelivery[]
  /** The id below which was not looked, though fewer than `limit` were found; null: they are all there is, or the page is full. */
  lookedTo: bigint | null
}> =>
  planByIndex(database, async (transaction) => {
    const { ids, lookedTo } = await lookForDeliveries(transaction, sought)
    const named = sql`SELECT unnest(${ids}::bigint[]) AS id`
    const { rows } = await sql<ListedDelivery>`${shown(named)} ORDER BY d.id DESC`.execute(transaction)
    return { deliveries: rows, lookedTo }
  })

/** One delivery with its callback URL; undefined when there is none. */
export const findDelivery = async (
  database: Database,
  deliveryId: bigint,
): Promise<(ListedDelivery & RowOf<'deliveries', 'callback_url'>) | undefined> => {
  const { rows } = await sql<ListedDelivery & RowOf<'deliveries', 'callback_url'>>`
    ${shown(sql`SELECT ${deliveryId}::bigint AS id`, sql`, d.callback_url`)}
  `.execute(database)
  return rows[0]
}

/** Deliveries of one payment that are shown at most: it has one for each outcome, so hardly ever more than two. */
const MAX_OF_PAYMENT = 20

/** The deliveries of a payment, oldest first. */
export const listPaymentDeliveries = async (
  database: Database,
  paymentId: bigint,
): Promise<ListedDelivery[]> => {
  // OFFSET 0: else all deliveries are read in the order of their ids, until enough have turned up.
  const all = sql`SELECT id FROM deliveries WHERE payment_id = ${paymentId} OFFSET 0`
  const ids = sql`SELECT id FROM (${all}) deliveries ORDER BY id LIMIT ${MAX_OF_PAYMENT}`
  const { rows } = await sql<ListedDelivery>`${shown(ids)} ORDER BY d.id`.execute(database)
  return rows
}

/** The delivery of a payment's latest outcome; undefined without one. */
export const findLatestDelivery = async (
  database: Database,
  paymentId: bigint,
): Promise<bigint | undefined> => {
  const latest = await database
    .selectFrom((query) =>
      // Offset 0: else deliveries are read from the newest on, until it has turned up.
      query.selectFrom('deliveries').select('id').where('payment_id', '=', paymentId).offset(0).as('all'),
    )
    .select('id')
    .orderBy('id', 'desc')
    .limit(1)
    .executeTakeFirst()
  return latest?.id
}

/** The attempts of a delivery, oldest first; the latest of them, 200 unless fewer are asked for. */
export const findAttempts = async (database: Database, deliveryId: bigint, limit = MAX_ATTEMPTS) => {
  const newestFirst = await database
    .selectFrom('attempts')
    .select([
      'number',
      'started_at',
      'finished_at',
      'duration_ms',
      'address',
      'status',
      'error_class',
      'answer',
    ])
    .where('delivery_id', '=', deliveryId)
    .orderBy('number', 'desc')
    .limit(limit)
    .execute()
  return newestFirst.toReversed()
}

/** One without trouble holds nothing for long: what is held for it goes out as from one that has come back. */
const HELD_BECAUSE = sql<HeldBecause | null>`
  CASE
    WHEN duty.held_at IS NULL THEN NULL
    WHEN endpoint.paused_at IS NOT NULL THEN 'paused'
    WHEN endpoint.state = 'open' THEN 'down'
    WHEN endpoint.state = 'half_open' THEN 'probing'
    ELSE 'ramping'
  END
`

/** The deliveries that `ids` (a query of the one column `id`) names, as `d`, with what belongs to each. */
const shown = (ids: RawBuilder<unknown>, more: RawBuilder<unknown> = sql``): RawBuilder<unknown> => sql`
  SELECT d.id AS delivery_id, d.payment_id, d.partner_id, d.host, d.webhook_id,
         CASE WHEN duty.held_at IS NULL THEN d.state::text ELSE 'held' END AS state,
         d.attempts, coalesce(duty.leased_until > now(), false) AS is_under_way, d.created_at,
         CASE WHEN duty.held_at IS NULL THEN d.next_attempt_at END AS next_attempt_at,
         duty.held_at, ${HELD_BECAUSE} AS held_because,
         CASE WHEN ${HELD_BECAUSE} = 'down' THEN endpoint.open_until END AS held_until, d.ended_at, coalesce(ended.error_class, last.error_class) AS error_class, last.status,
         d.dead_reason AS reason ${more}
  FROM (${ids}) named
  CROSS JOIN LATERAL (SELECT * FROM deliveries WHERE id = named.id OFFSET 0) d
  LEFT JOIN to_deliver duty ON duty.delivery_id = d.id
  LEFT JOIN endpoints endpoint ON endpoint.partner_id = duty.partner_id AND endpoint.host = duty.host
  LEFT JOIN dead_letters ended ON ended.delivery_id = d.id
  LEFT JOIN LATERAL (
    SELECT error_class, status FROM attempts
    WHERE delivery_id = d.id AND started_at >= date_trunc('milliseconds', d.created_at) AND finished_at IS NOT NULL
    ORDER BY number DESC LIMIT 1
  ) last ON true
`
