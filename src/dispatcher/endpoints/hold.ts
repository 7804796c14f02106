import { sql } from 'kysely'
import type { Database } from '../../database/connect.ts'
import { crashPoint } from '../../runtime/crash-point.ts'
import type { Endpoint } from '../../values/endpoint.ts'
import { NAMED_IS_FREE } from '../deliver/claim.ts'
import { FIRST_RELEASE, FLOOD_RELEASE } from './breaker.ts'

/** How long a rate of letting go must have lasted before a flood halves it, seconds. */
const CALM_SECONDS = 1

/**
 * Holds deliveries that came in greater number than this process takes for their endpoints. They wait in Postgres, where they
 * stand in nobody's way, and are let go a few at a time, faster while that goes well and slower when there are too many again.
 * Resolves with the endpoints that began to ramp by it.
 */
export const holdDeliveries = async (database: Database, ids: readonly bigint[]): Promise<Endpoint[]> => {
  crashPoint('hold.before_commit')
  const { rows } = await sql<{ partner_id: bigint; host: string; is_new: boolean }>`
    WITH free AS (
      SELECT delivery_id FROM to_deliver WHERE delivery_id = ANY(${ids}::bigint[]) AND ${NAMED_IS_FREE}
      ORDER BY delivery_id FOR UPDATE SKIP LOCKED
    ),
    held AS (
      UPDATE to_deliver SET held_at = now() FROM free WHERE to_deliver.delivery_id = free.delivery_id
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
  return rows
    .filter((row) => row.is_new)
    .map((row) => ({
      partnerId: row.partner_id,
      host: row.host,
    }))
}
