import { sql } from 'kysely'
import type { Database } from '../../database/connect.ts'
import { crashPoint } from '../../runtime/crash-point.ts'
import type { Endpoint } from '../../values/endpoint.ts'
import { type Actor, nameOf, recordAudit } from '../audit/record-audit.ts'
import { type Held, heldFor, toHeld } from './list-endpoints.ts'

/** How many held deliveries are released in the first second after a pause, as after a failure. */
const FIRST_RELEASE = 1

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
 * Resumes an endpoint that is paused; resolves with how many deliveries are held for it, `MOST_COUNTED` at most, null when
 * it is not paused.
 * They are released slowly at first and then faster, as after a failure; at an endpoint that is down, once it is back.
 */
export const resumeEndpoint = async (
  options: Endpoint & { database: Database; actor: Actor },
): Promise<Held | null> => {
  const resumed = await options.database.transaction().execute(async (transaction) => {
    const { rows } = await sql<{ held: number }>`
      UPDATE endpoints
      SET paused_at = NULL, paused_by = NULL, resumed_at = now(), changed_at = now(),
          state = CASE WHEN state = 'closed' THEN 'ramping' ELSE state END,
          release_per_second = CASE WHEN state = 'closed' THEN ${FIRST_RELEASE} ELSE release_per_second END,
          release_at = CASE WHEN state = 'closed' THEN now() ELSE release_at END,
          release_since = CASE WHEN state = 'closed' THEN now() ELSE release_since END
      WHERE partner_id = ${options.partner_id} AND host = ${options.host} AND paused_at IS NOT NULL
      RETURNING (SELECT count(*)::int FROM (${heldFor('endpoints')}) held) AS held
    `.execute(transaction)
    const [row] = rows
    if (row !== undefined) await recordAudit(transaction, toAudit('resumed', options))
    crashPoint('resume_endpoint.before_commit')
    return row
  })
  crashPoint('resume_endpoint.after_commit')
  return resumed ? toHeld(resumed.held) : null
}

const toAudit = (action: 'paused' | 'resumed', { actor, partner_id, host }: Endpoint & { actor: Actor }) => ({
  actor,
  action,
  subject: { kind: 'endpoint', id: host } as const,
  partnerId: partner_id,
  before: { is_paused: action === 'resumed' },
  after: { is_paused: action === 'paused' },
})
