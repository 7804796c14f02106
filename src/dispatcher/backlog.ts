import { type Expression, type SqlBool, sql } from 'kysely'
import type { Registry } from 'prom-client'
import type { Database } from '../database/connect.ts'
import { showReading } from '../runtime/metrics.ts'

/**
 * Shows what is still to be delivered. It is asked of Postgres when the metrics are read: it is the same whichever
 * dispatcher is asked, and has no sample while Postgres is away.
 */
export const showBacklog = (registry: Registry, database: Database): void =>
  showReading(registry, () => readBacklog(database), [
    {
      name: 'gateway_oldest_overdue_delivery_age_seconds',
      help: 'How long the delivery that has waited longest has been due, neither held nor under way; 0 when none is due',
      samples: ({ overdueSeconds }) => [{ value: overdueSeconds }],
    },
    {
      name: 'gateway_oldest_open_delivery_age_seconds',
      help: 'How long ago the outcome became known whose delivery has waited longest; 0 when none waits',
      samples: ({ openSeconds }) => [{ value: openSeconds }],
    },
    {
      name: 'gateway_troubled_endpoints',
      help: 'Endpoints (a partner and a callback host) that are not healthy, by state',
      labelNames: ['state'],
      samples: (backlog) => STATES.map((state) => ({ labels: { state }, value: backlog[state] })),
    },
    {
      name: 'gateway_open_deliveries',
      help: 'Deliveries that have not ended: due now, later, held for their endpoint, or leased by a dispatcher',
      labelNames: ['due'],
      samples: (backlog) => DUE.map((due) => ({ labels: { due }, value: backlog[due] })),
    },
    {
      name: 'gateway_held_deliveries',
      help: 'Deliveries that are held for their endpoint, by what the endpoint is',
      labelNames: ['reason'],
      samples: ({ heldFor }) =>
        heldFor.map(({ reason, deliveries }) => ({ labels: { reason }, value: deliveries })),
    },
    {
      name: 'gateway_oldest_held_delivery_age_seconds',
      help: 'How long ago the outcome became known whose delivery is held longest, by what its endpoint is; 0 when none is',
      labelNames: ['reason'],
      samples: ({ heldFor }) =>
        heldFor.map(({ reason, ageSeconds }) => ({ labels: { reason }, value: ageSeconds })),
    },
    {
      name: 'gateway_endpoint_held_age_seconds',
      help: 'The same by endpoint, for the ten that have waited longest',
      labelNames: ['partner_id', 'partner', 'host', 'reason'],
      samples: ({ longestHeld }) =>
        longestHeld.map(({ ageSeconds, ...labels }) => ({ labels, value: ageSeconds })),
    },
  ])

const DUE = ['now', 'later', 'held', 'leased'] as const
const STATES = ['open', 'half_open', 'ramping', 'paused'] as const

type HeldEndpoint = { partner_id: string; partner: string; host: string; reason: string; ageSeconds: number }

type HeldFor = { reason: string; deliveries: number; ageSeconds: number }

type Backlog = Record<
  (typeof DUE)[number] | (typeof STATES)[number] | 'overdueSeconds' | 'openSeconds',
  number
> & { heldFor: HeldFor[]; longestHeld: HeldEndpoint[] }

const NOW = sql<Date>`now()`

const count = (which: Expression<SqlBool>) => sql<number>`count(*) FILTER (WHERE ${which})::float8`

const readBacklog = async (database: Database): Promise<Backlog> => {
  const { now, later, held, leased, ...oldest } = await database
    .selectFrom('to_deliver')
    .where('partner_id', '>', 0n)
    .select((eb) => {
      const isFree = eb.and([eb('held_at', 'is', null), eb('leased_until', '<=', NOW)])
      return [
        count(eb.and([isFree, eb('due_at', '<=', NOW)])).as('now'),
        count(eb.and([isFree, eb('due_at', '>', NOW)])).as('later'),
        count(eb('held_at', 'is not', null)).as('held'),
        count(eb('leased_until', '>', NOW)).as('leased'),
        eb.fn.min('due_at').filterWhere(isFree).as('dueAt'),
        eb.fn.min('delivery_id').as('id'),
        NOW.as('at'),
      ]
    })
    .executeTakeFirstOrThrow()
  const troubled = await database
    .selectFrom('endpoints')
    .where('partner_id', '>', 0n)
    .select((eb) => [
      count(eb('state', '=', 'open')).as('open'),
      count(eb('state', '=', 'half_open')).as('half_open'),
      count(eb('state', '=', 'ramping')).as('ramping'),
      count(eb('paused_at', 'is not', null)).as('paused'),
    ])
    .executeTakeFirstOrThrow()
  const delivery = await database
    .selectFrom('deliveries')
    .select('created_at')
    .where('id', '=', oldest.id)
    .executeTakeFirst()
  const secondsSince = (from: Date | null | undefined): number =>
    from ? Math.max(0, (oldest.at.getTime() - from.getTime()) / 1000) : 0
  const overdueSeconds = secondsSince(oldest.dueAt)
  const openSeconds = secondsSince(delivery?.created_at)
  return {
    now,
    later,
    held,
    leased,
    ...troubled,
    overdueSeconds,
    openSeconds,
    heldFor: await readHeld(database),
    longestHeld: await readLongestHeld(database),
  }
}

/** What an endpoint `e` is that deliveries are held for. */
const REASON = sql`CASE WHEN e.paused_at IS NOT NULL THEN 'paused' WHEN e.state = 'open' THEN 'down'
  WHEN e.state = 'half_open' THEN 'probing' ELSE 'ramping' END`

/** So many endpoints have a series of their own: an alert is to name who hears nothing, and no more series are needed. */
const LONGEST_HELD = 10

/** Every reason has its row, so that an alert sees the fall to 0 as well. */
const readHeld = async (database: Database): Promise<HeldFor[]> => {
  const { rows } = await sql<HeldFor>`
    SELECT reason, coalesce(held.deliveries, 0)::float8 AS deliveries,
           greatest(0, coalesce(extract(epoch FROM now() - d.created_at), 0))::float8 AS "ageSeconds"
    FROM (VALUES ('down'), ('probing'), ('ramping'), ('paused')) reasons (reason)
    LEFT JOIN (
      SELECT ${REASON} AS reason,
             count(*) AS deliveries, min(t.delivery_id) AS oldest_id
      FROM to_deliver t LEFT JOIN endpoints e ON e.partner_id = t.partner_id AND e.host = t.host
      WHERE t.held_at IS NOT NULL AND t.partner_id > 0
      GROUP BY 1
    ) held USING (reason)
    LEFT JOIN deliveries d ON d.id = held.oldest_id
  `.execute(database)
  return rows
}

const readLongestHeld = async (database: Database): Promise<HeldEndpoint[]> => {
  const { rows } = await sql<HeldEndpoint>`
    SELECT held.partner_id::text, coalesce(p.name, '') AS partner, held.host, ${REASON} AS reason,
           greatest(0, coalesce(extract(epoch FROM now() - d.created_at), 0))::float8 AS "ageSeconds"
    FROM (
      SELECT partner_id, host, min(delivery_id) AS oldest_id FROM to_deliver
      WHERE held_at IS NOT NULL AND partner_id > 0 GROUP BY partner_id, host
      ORDER BY oldest_id LIMIT ${LONGEST_HELD}
    ) held
    LEFT JOIN endpoints e ON e.partner_id = held.partner_id AND e.host = held.host
    LEFT JOIN partners p ON p.id = held.partner_id
    LEFT JOIN deliveries d ON d.id = held.oldest_id
  `.execute(database)
  return rows
}
