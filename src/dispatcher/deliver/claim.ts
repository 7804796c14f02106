import { sql } from 'kysely'
import type { Database } from '../../database/connect.ts'
import type { RowOf } from '../../database/schema/schema.ts'
import { crashPoint } from '../../runtime/crash-point.ts'

type Delivery = RowOf<
  'deliveries',
  | 'id'
  | 'payment_id'
  | 'partner_id'
  | 'host'
  | 'webhook_id'
  | 'callback_url'
  | 'body'
  | 'attempts'
  | 'schedule_from'
>

/** An attempt that its holder, and nobody else, may now make: it is written down as started. */
export type Claim = {
  deliveryId: Delivery['id']
  paymentId: Delivery['payment_id']
  partnerId: Delivery['partner_id']
  /** With the partner, the endpoint. */
  host: Delivery['host']
  webhookId: Delivery['webhook_id']
  /** The partner's URL. */
  callbackUrl: Delivery['callback_url']
  /** The exact bytes to send. */
  body: Delivery['body']
  /** Which attempt of the delivery this is, from 1. */
  attempt: Delivery['attempts']
  /** Attempts before the schedule began (anew). */
  scheduleFrom: Delivery['schedule_from']
  /** By the database's clock. */
  startedAt: RowOf<'attempts', 'started_at'>['started_at']
  /** True when the attempt before was never recorded: its dispatcher died, and its outcome is unknown. */
  isAfterLost: boolean
  /** True when its endpoint has failed recently. */
  isTroubled: boolean
}

/**
 * How long a claim is its holder's alone, seconds: above the longest POST and its recording; and, with the moment until
 * another dispatcher has found it, below the minute by which the death of its holder may delay a delivery.
 */
export const LEASE_SECONDS = 55

/** What is due, not held, and not leased by another. */
export const IS_FREE = sql<boolean>`due_at <= now() AND leased_until <= now() AND held_at IS NULL`

/**
 * The same of deliveries that are named: put so that no index knows it. Else the one on `due_at` is read too, all of
 * what is due for the few that are named: the longer the backlog, the slower each claim.
 */
export const NAMED_IS_FREE = sql`(${IS_FREE}) IS TRUE`

/** Whether something may pass to an endpoint: it is healthy, or ramping up, or this is the probe. */
const PASSES = sql`
  endpoints.partner_id IS NULL OR endpoints.paused_at IS NULL AND (
    endpoints.state IN ('closed', 'ramping')
    OR endpoints.state = 'half_open' AND endpoints.probe_delivery_id = to_deliver.delivery_id
  )
`

/**
 * Claims the deliveries among the given that are due and free; the others are another's, not due, or gone. What may not
 * pass to its endpoint, for that is down or paused, is held instead: it uses up no attempt, and waits to be released.
 *
 * Leases, counts the attempt and writes it down as started, all in one statement, so in one transaction that is durable
 * before the first byte is sent. `started_at` is cut to ms, for it comes back as a key when the attempt is recorded.
 */
export const claimDeliveries = async (database: Database, ids: readonly bigint[]): Promise<Claim[]> => {
  crashPoint('claim.before_commit')
  const { rows } = await sql<Claim>`
    WITH free AS (
      SELECT to_deliver.delivery_id, leased_until, endpoints.partner_id IS NOT NULL AS is_troubled, ${PASSES} AS passes
      FROM to_deliver LEFT JOIN endpoints USING (partner_id, host)
      WHERE to_deliver.delivery_id = ANY(${ids}::bigint[]) AND ${NAMED_IS_FREE}
      ORDER BY to_deliver.delivery_id FOR UPDATE OF to_deliver SKIP LOCKED
    ),
    leased AS (
      UPDATE to_deliver
      SET leased_until =
            CASE WHEN passes THEN now() + make_interval(secs => ${LEASE_SECONDS}) ELSE to_deliver.leased_until END,
          held_at = CASE WHEN passes THEN NULL ELSE now() END
      FROM free WHERE to_deliver.delivery_id = free.delivery_id
    ),
    counted AS (
      UPDATE deliveries SET attempts = attempts + 1
      FROM free WHERE deliveries.id = free.delivery_id AND passes
      RETURNING deliveries.id, payment_id, partner_id, host, webhook_id, callback_url, body, attempts, schedule_from,
                free.leased_until > '-infinity' AS is_after_lost, is_troubled
    ),
    started AS (
      INSERT INTO attempts (delivery_id, number, started_at)
      SELECT id, attempts, date_trunc('milliseconds', now()) FROM counted
      RETURNING delivery_id, started_at
    )
    SELECT delivery_id AS "deliveryId", payment_id AS "paymentId", partner_id AS "partnerId", host,
           webhook_id AS "webhookId", callback_url AS "callbackUrl", body, attempts AS attempt,
           schedule_from AS "scheduleFrom", started_at AS "startedAt", is_after_lost AS "isAfterLost",
           is_troubled AS "isTroubled"
    FROM counted JOIN started ON started.delivery_id = counted.id
  `.execute(database)
  crashPoint('claim.after_commit', rows.length)
  return rows
}
