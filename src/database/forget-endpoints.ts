import { sql } from 'kysely'
import type { Database } from './connect.ts'

/** For how long an endpoint that failed is remembered, days: longer than any schedule that is in use. */
const REMEMBERED_DAYS = 30

/** Rows that one statement deletes. */
const BATCH = 10_000

/**
 * Forgets endpoints that failed and to which nothing has been sent since: nothing is held for them, nobody has paused
 * them, and what is known of them is `REMEMBERED_DAYS` old. Nobody knows whether one that was down is back, so neither
 * that it is nor that it is down is told any more. A row that another process has in hand is left to it. Resolves with
 * how many.
 */
export const forgetEndpoints = async (database: Database): Promise<number> => {
  let forgotten = 0
  for (;;) {
    const { rows } = await sql<{ count: number }>`
      WITH old AS (
        SELECT partner_id, host FROM endpoints
        WHERE state = 'closed' AND paused_at IS NULL
          AND changed_at < now() - make_interval(days => ${REMEMBERED_DAYS})
        LIMIT ${BATCH} FOR UPDATE SKIP LOCKED
      ),
      gone AS (
        DELETE FROM endpoints USING old
        WHERE endpoints.partner_id = old.partner_id AND endpoints.host = old.host
        RETURNING endpoints.partner_id, endpoints.host
      ),
      untold AS (
        DELETE FROM signal_conditions USING gone
        WHERE kind = 'endpoint' AND signal_conditions.partner_id = gone.partner_id AND name = gone.host
      )
      SELECT count(*)::integer AS count FROM gone
    `.execute(database)
    const count = rows[0]?.count ?? 0
    forgotten += count
    if (count < BATCH) return forgotten
  }
}
