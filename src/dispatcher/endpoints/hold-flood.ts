import { sql } from 'kysely'
import type { Database } from '../../database/connect.ts'
import { createBatcher } from '../../runtime/batch.ts'
import { crashPoint } from '../../runtime/crash-point.ts'
import type { Endpoint } from '../../values/endpoint.ts'
import { NAMED_IS_FREE } from '../deliver/attempts.ts'
import type { Reporter } from '../report.ts'
import type { RetryUntilStopped } from '../retry-until-stopped.ts'
import { FIRST_RELEASE, FLOOD_RELEASE } from './breaker.ts'

/** How long a rate of release must have lasted before a flood halves it, seconds. */
const CALM_SECONDS = 1

/** Holds one delivery; resolves when Postgres has it. */
export type Hold = (deliveryId: bigint) => Promise<void>

/** Holds deliveries in batches, one after the other. */
export const createHold = (options: {
  database: Database
  retryUntilStopped: RetryUntilStopped
  reporter: Reporter
}): Hold => {
  const { database, retryUntilStopped, reporter } = options
  const batches = createBatcher<bigint, undefined>({
    maxItems: 1_000,
    maxRunning: 1,
    maxWaiting: 100_000,
    run: async (ids) => {
      for (const { partner_id, host } of await retryUntilStopped(() => holdDeliveries(database, ids)))
        reporter.endpointChanged({ partner_id, host, to: 'ramping', cause: 'flood' })
      return ids.map(() => undefined)
    },
  })
  return (deliveryId) => batches.add(deliveryId)
}

/**
 * Holds deliveries of which more came than this process takes for their endpoints. They wait in Postgres, where they
 * delay nobody, and are released a few at a time, faster while that goes well and slower when there are too many again.
 * Resolves with the endpoints that began to ramp by it.
 */
export const holdDeliveries = async (database: Database, ids: readonly bigint[]): Promise<Endpoint[]> => {
  crashPoint('hold.before_commit')
  const { rows } = await sql<Endpoint & { is_new: boolean }>`
    WITH free AS (
      SELECT delivery_id FROM to_deliver WHERE delivery_id = ANY(${ids}::bigint[]) AND ${NAMED_IS_FREE}
      ORDER BY delivery_id FOR UPDATE SKIP LOCKED
    ),
    held AS (
      UPDATE to_deliver SET held_at = now() WHERE delivery_id = ANY (ARRAY(SELECT delivery_id FROM free))
      RETURNING partner_id, host
    )
    INSERT INTO endpoints AS known (partner_id, host, state, release_per_second, release_since, release_at)
    SELECT DISTINCT partner_id, host, 'ramping'::endpoint_state, ${FLOOD_RELEASE}::real, now(), now()
    FROM held ORDER BY partner_id, host
    ON CONFLICT (partner_id, host) DO UPDATE
    SET state = 'ramping',
        release_per_second = CASE
          WHEN known.state = 'closed' THEN excluded.release_per_second
          WHEN known.release_since > now() - make_interval(secs => ${CALM_SECONDS}) THEN known.release_per_second
          ELSE greatest(${FIRST_RELEASE}, known.release_per_second / 2)
        END,
        release_since = CASE
          WHEN known.state = 'closed' OR known.release_since <= now() - make_interval(secs => ${CALM_SECONDS})
          THEN now() ELSE known.release_since
        END,
        release_at = CASE WHEN known.state = 'closed' THEN now() ELSE known.release_at END,
        changed_at = CASE WHEN known.state = 'closed' THEN now() ELSE known.changed_at END
    WHERE known.state IN ('closed', 'ramping')
    RETURNING partner_id, host, changed_at = now() AS is_new
  `.execute(database)
  crashPoint('hold.after_commit')
  return rows.filter((row) => row.is_new).map(({ partner_id, host }) => ({ partner_id, host }))
}

/**
 * Finds endpoints for which deliveries are held, and due, though nothing is wrong with them: they were resumed, or a
 * delivery was held while another transaction closed its endpoint, or none was due when it was to be probed: a rate that
 * grew until one is would let them all go before the first has said whether it is back. They ramp from now on; resolves
 * with those. What is held is in an index of its own, read from endpoint to endpoint: it costs as little as there are
 * such endpoints.
 */
export const rampStranded = async (database: Database): Promise<Endpoint[]> => {
  crashPoint('ramp_leftover.before_commit')
  const { rows } = await sql<Endpoint>`
    WITH RECURSIVE held AS (
      (
        SELECT partner_id, host, due_at FROM to_deliver WHERE held_at IS NOT NULL
        ORDER BY partner_id, host, due_at LIMIT 1
      )
      UNION ALL
      SELECT next.partner_id, next.host, next.due_at FROM held CROSS JOIN LATERAL (
        SELECT partner_id, host, due_at FROM to_deliver
        WHERE held_at IS NOT NULL AND (to_deliver.partner_id, to_deliver.host) > (held.partner_id, held.host)
        ORDER BY partner_id, host, due_at LIMIT 1
      ) next
    )
    INSERT INTO endpoints AS known (partner_id, host, state, release_per_second, release_since, release_at)
    SELECT partner_id, host, 'ramping'::endpoint_state, ${FIRST_RELEASE}::real, now(), now()
    FROM held LEFT JOIN endpoints USING (partner_id, host)
    WHERE held.due_at <= now() AND coalesce(state, 'closed') = 'closed' AND paused_at IS NULL
    ORDER BY partner_id, host
    ON CONFLICT (partner_id, host) DO UPDATE
    SET state = 'ramping', release_per_second = excluded.release_per_second, release_since = now(), release_at = now(),
        changed_at = now()
    WHERE known.state = 'closed' AND known.paused_at IS NULL
    RETURNING partner_id, host
  `.execute(database)
  crashPoint('ramp_leftover.after_commit', rows.length)
  return rows
}
