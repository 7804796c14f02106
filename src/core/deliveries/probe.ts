import { sql } from 'kysely'
import type { Database } from '../../database/connect.ts'
import type { EndpointStateName } from '../../database/schema/endpoints.ts'
import { crashPoint } from '../../runtime/crash-point.ts'
import type { Endpoint } from '../../values/endpoint.ts'
import { type Actor, recordAudit } from '../audit/record-audit.ts'
import { type Held, heldFor, toHeld } from './list-endpoints.ts'

/** What came of having an endpoint asked, and how many deliveries are held for it. Null: it is not in trouble. */
export type Probed = ({ state: EndpointStateName; isPaused: boolean } & Held) | null

/**
 * Has an endpoint that is down asked now whether it is back: the time for which nothing passes ends, and the dispatcher
 * that sees it first lets one held delivery pass, as it would have later. In every other state nothing is changed.
 */
export const probeEndpoint = async (
  options: Endpoint & { database: Database; actor: Actor },
): Promise<Probed> => {
  const probed = await options.database.transaction().execute(async (transaction) => {
    const { rows } = await sql<{
      state: EndpointStateName
      is_paused: boolean
      open_until: Date | null
      held: number
    }>`
      SELECT state, paused_at IS NOT NULL AS is_paused, open_until,
             (SELECT count(*)::int FROM (${heldFor('endpoints')}) held) AS held
      FROM endpoints WHERE partner_id = ${options.partner_id} AND host = ${options.host} FOR UPDATE
    `.execute(transaction)
    const [row] = rows
    if (row === undefined) return null
    if (row.state === 'open' && !row.is_paused) {
      const { rows: asked } = await sql<{ open_until: Date }>`
        UPDATE endpoints SET open_until = now()
        WHERE partner_id = ${options.partner_id} AND host = ${options.host}
        RETURNING open_until
      `.execute(transaction)
      await recordAudit(transaction, {
        actor: options.actor,
        action: 'probed',
        subject: { kind: 'endpoint', id: options.host },
        partnerId: options.partner_id,
        before: { open_until: row.open_until },
        after: { open_until: asked[0]?.open_until },
      })
    }
    crashPoint('probe_endpoint.before_commit')
    return { state: row.state, isPaused: row.is_paused, ...toHeld(row.held) }
  })
  crashPoint('probe_endpoint.after_commit')
  return probed
}
