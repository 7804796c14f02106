import { sql, type Transaction } from 'kysely'
import { joinLastErrorClass } from '../../database/expressions.ts'
import { givenRows } from '../../database/given-rows.ts'
import type { Schema } from '../../database/schema/schema.ts'
import type { Endpoint } from '../../values/endpoint.ts'
import type { Expired } from '../report.ts'

/** Deliveries that one call ends at most. */
const MOST_EXPIRED = 5_000

const REASON = 'the endpoint was down until the schedule’s whole length had passed'

/**
 * Ends what is held for endpoints that are down when the schedule's whole length, `longestMs`, has passed since it was
 * created or, where an operator sent it again or resumed the endpoint, since then: dead, as the schedule would have
 * ended it. What an operator paused is left alone.
 */
export const expireHeld = async (
  transaction: Transaction<Schema>,
  options: { endpoints: readonly Endpoint[]; longestMs: number },
): Promise<Expired[]> => {
  const { endpoints } = options
  if (endpoints.length === 0) return []
  const { rows } = await sql<Expired>`
    WITH late AS (
      SELECT to_deliver.delivery_id
      FROM ${givenEndpoints(endpoints)}
      JOIN endpoints USING (partner_id, host)
      JOIN to_deliver USING (partner_id, host)
      JOIN deliveries ON deliveries.id = to_deliver.delivery_id
      WHERE held_at IS NOT NULL AND paused_at IS NULL
        AND greatest(coalesce(retried_at, deliveries.created_at), resumed_at)
            <= now() - make_interval(secs => ${options.longestMs / 1000})
      ORDER BY to_deliver.delivery_id LIMIT ${MOST_EXPIRED} FOR UPDATE OF to_deliver SKIP LOCKED
    ),
    ended AS (
      UPDATE deliveries SET state = 'dead', next_attempt_at = NULL, ended_at = now(), dead_reason = ${REASON}
      FROM late WHERE deliveries.id = late.delivery_id AND state = 'pending'
      RETURNING id, payment_id, partner_id, host, dead_reason, created_at
    ),
    ended_duties AS (
      DELETE FROM to_deliver WHERE delivery_id = ANY (ARRAY(SELECT id FROM ended))
    ),
    dead AS (
      INSERT INTO dead_letters (delivery_id, partner_id, host, error_class, reason)
      SELECT id, partner_id, host, last.error_class, ${REASON}
      FROM ended ${joinLastErrorClass}
    )
    SELECT id, payment_id, partner_id, host, dead_reason FROM ended
  `.execute(transaction)
  return rows
}

/** Endpoints as a table `given` of a statement. */
export const givenEndpoints = (endpoints: readonly Endpoint[]) =>
  givenRows(endpoints, {
    partner_id: ['endpoints.partner_id', ({ partner_id }) => partner_id],
    host: ['endpoints.host', ({ host }) => host],
  })
