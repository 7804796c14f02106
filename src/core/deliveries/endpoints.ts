import { sql } from 'kysely'
import type { Database } from '../../database/connect.ts'
import { planBySize } from '../../database/plan-by-size.ts'
import type { RowOf } from '../../database/schema/schema.ts'
import { crashPoint } from '../../runtime/crash-point.ts'
import type { Endpoint } from '../../values/endpoint.ts'
import { type Actor, nameOf, recordAudit } from '../audit/record-audit.ts'
import { ownedBy } from './filter.ts'

/** How many held deliveries are released in the first second after a pause, as after a failure. */
const FIRST_RELEASE = 1

/** An endpoint as operators see it. */
export type ListedEndpoint = RowOf<
  'endpoints',
  'partner_id' | 'host' | 'state' | 'failures' | 'open_until' | 'paused_at' | 'paused_by'
> & {
  /** Deliveries that wait for an attempt or have one under way; that are held; that are dead or cancelled. */
  pending: number
  held: number
  dead: number
  /** When the oldest of those that are pending or held was created. */
  oldest_created_at: Date | null
}

/**
 * At most `limit` endpoints that failed, are paused, or have held, dead or cancelled deliveries, by partner and host,
 * after the endpoint `after`. Healthy ones are not listed: the history alone knows them.
 */
export const listEndpoints = async (options: {
  database: Database
  partnerId: bigint | null
  isTest: boolean
  /** Only with this host; null: with any. */
  host: string | null
  pausedOnly: boolean
  after: Endpoint | null
  limit: number
}): Promise<ListedEndpoint[]> => {
  const { after, host, pausedOnly } = options
  const conditions = [
    sql`true`,
    after && sql`(partner_id, host) > (${after.partner_id}, ${after.host})`,
    host !== null && sql`host = ${host}`,
    pausedOnly && sql`paused_at IS NOT NULL`,
  ].filter((condition) => condition !== null && condition !== false)
  const owned = sql`WHERE ${ownedBy(options, sql.ref('partner_id'))}`
  const statement = sql<ListedEndpoint>`
    WITH waiting AS (
      SELECT partner_id, host, count(*) FILTER (WHERE held_at IS NULL)::int AS pending,
             count(*) FILTER (WHERE held_at IS NOT NULL)::int AS held, min(delivery_id) AS oldest_id
      FROM to_deliver ${owned} GROUP BY partner_id, host
    ),
    ended AS (
      SELECT partner_id, host, count(*)::int AS dead FROM dead_letters ${owned} GROUP BY partner_id, host
    ),
    troubled AS (
      SELECT partner_id, host FROM endpoints ${owned}
      UNION SELECT partner_id, host FROM ended
      UNION SELECT partner_id, host FROM waiting WHERE held > 0
    )
    SELECT partner_id, host, coalesce(state, 'closed') AS state, coalesce(failures, 0) AS failures,
           CASE WHEN state = 'open' THEN open_until END AS open_until, paused_at, paused_by,
           coalesce(pending, 0) AS pending, coalesce(held, 0) AS held, coalesce(dead, 0) AS dead,
           (SELECT created_at FROM deliveries WHERE id = oldest_id) AS oldest_created_at
    FROM troubled
    LEFT JOIN endpoints USING (partner_id, host)
    LEFT JOIN waiting USING (partner_id, host)
    LEFT JOIN ended USING (partner_id, host)
    WHERE ${sql.join(conditions, sql` AND `)}
    ORDER BY partner_id, host LIMIT ${options.limit}
  `
  const { rows } = await planBySize(options.database, (transaction) => statement.execute(transaction))
  return rows
}

/** What came of a pause: since when it is paused; null: there is no such partner. */
export type Paused = { pausedAt: Date; isNew: boolean } | null

/**
 * Pauses an endpoint: from now on its deliveries are held instead of attempted, until it is resumed. One that is paused
 * already stays so, since when and by whom it was. Attempts under way end as they end.
 */
export const pauseEndpoint = async (
  options: Endpoint & { database: Database; actor: Actor },
): Promise<Paused> => {
  const paused = await options.database.transaction().execute(async (transaction) => {
    const { rows } = await sql<{ paused_at: Date; is_new: boolean }>`
      INSERT INTO endpoints (partner_id, host, paused_at, paused_by)
      SELECT id, ${options.host}, now(), ${nameOf(options.actor)} FROM partners WHERE id = ${options.partner_id}
      ON CONFLICT (partner_id, host) DO UPDATE
      SET paused_by = CASE WHEN endpoints.paused_at IS NULL THEN excluded.paused_by ELSE endpoints.paused_by END,
          paused_at = coalesce(endpoints.paused_at, excluded.paused_at)
      RETURNING paused_at, paused_at = now() AS is_new
    `.execute(transaction)
    const [row] = rows
    if (row?.is_new === true) await recordAudit(transaction, toAudit('paused', options))
    crashPoint('pause_endpoint.before_commit')
    return row
  })
  crashPoint('pause_endpoint.after_commit')
  return paused ? { pausedAt: paused.paused_at, isNew: paused.is_new } : null
}

/**
 * Resumes an endpoint that is paused; resolves with how many deliveries are held for it, null when it is not paused.
 * They are released slowly at first and then faster, as after a failure; at an endpoint that is down, once it is back.
 */
export const resumeEndpoint = async (
  options: Endpoint & { database: Database; actor: Actor },
): Promise<{ held: number } | null> => {
  const resumed = await options.database.transaction().execute(async (transaction) => {
    const { rows } = await sql<{ held: number }>`
      UPDATE endpoints
      SET paused_at = NULL, paused_by = NULL, resumed_at = now(), changed_at = now(),
          state = CASE WHEN state = 'closed' THEN 'ramping' ELSE state END,
          release_per_second = CASE WHEN state = 'closed' THEN ${FIRST_RELEASE} ELSE release_per_second END,
          release_at = CASE WHEN state = 'closed' THEN now() ELSE release_at END,
          release_since = CASE WHEN state = 'closed' THEN now() ELSE release_since END
      WHERE partner_id = ${options.partner_id} AND host = ${options.host} AND paused_at IS NOT NULL
      RETURNING (
        SELECT count(*)::int FROM to_deliver
        WHERE partner_id = endpoints.partner_id AND host = endpoints.host AND held_at IS NOT NULL
      ) AS held
    `.execute(transaction)
    const [row] = rows
    if (row !== undefined) await recordAudit(transaction, toAudit('resumed', options))
    crashPoint('resume_endpoint.before_commit')
    return row
  })
  crashPoint('resume_endpoint.after_commit')
  return resumed ?? null
}

const toAudit = (action: 'paused' | 'resumed', { actor, partner_id, host }: Endpoint & { actor: Actor }) => ({
  actor,
  action,
  subject: { kind: 'endpoint', id: host } as const,
  partnerId: partner_id,
  before: { is_paused: action === 'resumed' },
  after: { is_paused: action === 'paused' },
})
