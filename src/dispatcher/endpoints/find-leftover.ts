import { sql } from 'kysely'
import type { Database } from '../../database/connect.ts'
import { crashPoint } from '../../runtime/crash-point.ts'
import type { Endpoint } from '../../values/endpoint.ts'
import { FIRST_RELEASE } from './breaker.ts'

/**
 * Finds endpoints for which deliveries are held though nothing is wrong with them: they were resumed, or a delivery was held at
 * the very moment at which its endpoint was found well. They ramp from now on; resolves with those. What is held is in an index
 * of its own, read from endpoint to endpoint: it costs as little as there are such endpoints.
 */
export const rampLeftover = async (database: Database): Promise<Endpoint[]> => {
  crashPoint('ramp_leftover.before_commit')
  const { rows } = await sql<{ partner_id: bigint; host: string }>`
    WITH RECURSIVE held AS (
      (SELECT partner_id, host FROM to_deliver WHERE held_at IS NOT NULL ORDER BY partner_id, host LIMIT 1)
      UNION ALL
      SELECT next.partner_id, next.host FROM held CROSS JOIN LATERAL (
        SELECT partner_id, host FROM to_deliver
        WHERE held_at IS NOT NULL AND (to_deliver.partner_id, to_deliver.host) > (held.partner_id, held.host)
        ORDER BY partner_id, host LIMIT 1
      ) next
    )
    INSERT INTO endpoints AS known (partner_id, host, state, release_per_second, release_since, release_at)
    SELECT partner_id, host, 'ramping'::endpoint_state, ${FIRST_RELEASE}::real, now(), now()
    FROM held LEFT JOIN endpoints USING (partner_id, host)
    WHERE coalesce(state, 'closed') = 'closed' AND paused_at IS NULL
    ORDER BY partner_id, host
    ON CONFLICT (partner_id, host) DO UPDATE
    SET state = 'ramping', release_per_second = excluded.release_per_second, release_since = now(), release_at = now(),
        changed_at = now()
    WHERE known.state = 'closed' AND known.paused_at IS NULL
    RETURNING partner_id, host
  `.execute(database)
  crashPoint('ramp_leftover.after_commit', rows.length)
  return rows.map((row) => ({ partnerId: row.partner_id, host: row.host }))
}
