import { sql } from 'kysely'
import type { Database } from '../../src/database/connect.ts'

/**
 * Moves every instant that Postgres keeps for later so far back that it has come, as if this much time had passed while all
 * processes were dead: leases, pauses, deadlines, what is to be published again.
 */
export const letTimePass = async (database: Database, seconds: number): Promise<void> => {
  const ago = sql`make_interval(secs => ${seconds})`
  await sql`
    WITH deadlines AS (
      UPDATE payments SET submit_by = payments.submit_by - ${ago}
      FROM to_submit WHERE to_submit.payment_id = payments.id
    ), submit AS (
      UPDATE to_submit
      SET due_at = due_at - ${ago}, leased_until = leased_until - ${ago}, submit_by = submit_by - ${ago}
    ), query AS (
      UPDATE to_query SET due_at = due_at - ${ago}, leased_until = leased_until - ${ago}
    ), interpret AS (
      UPDATE to_interpret SET due_at = due_at - ${ago}
    ), confirm AS (
      UPDATE to_confirm SET due_at = due_at - ${ago}
    ), accounts AS (
      UPDATE daraja_accounts SET held_until = held_until - ${ago}
    ), endpoint AS (
      UPDATE endpoints
      SET open_until = open_until - ${ago}, probing_until = probing_until - ${ago}, release_at = release_at - ${ago},
          release_since = release_since - ${ago}
    )
    UPDATE to_deliver
    SET due_at = due_at - ${ago}, leased_until = leased_until - ${ago}, publish_at = publish_at - ${ago}
  `.execute(database)
}

/** What is still to be done: the rows of each duty. */
export const openDuties = async (database: Database): Promise<Record<string, number>> => {
  const { rows } = await sql<Record<string, bigint>>`
    SELECT (SELECT count(*) FROM to_submit) AS to_submit, (SELECT count(*) FROM to_query) AS to_query,
           (SELECT count(*) FROM to_interpret) AS to_interpret, (SELECT count(*) FROM to_deliver) AS to_deliver
  `.execute(database)
  return Object.fromEntries(Object.entries(rows[0] ?? {}).map(([duty, count]) => [duty, Number(count)]))
}
