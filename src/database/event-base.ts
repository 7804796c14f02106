import { sql } from 'kysely'
import type { Log } from '../runtime/log.ts'
import type { Database } from './connect.ts'

/**
 * Raises what is added to the numbers of transactions, so that new events stand behind all that are there: a database
 * that was loaded from a dump holds positions that are above the numbers of its new server. Changes nothing elsewhere,
 * for an event that can be seen has a lower number than the next transaction. Nor may one come below what was counted or
 * summed, or it would be left out.
 */
export const raiseEventBase = async (database: Database, log: Log): Promise<void> => {
  const { rows } = await sql<{ base: bigint }>`
    SELECT highest + 1 - next AS base
    FROM (
      SELECT greatest(
               (SELECT max(event_position) FROM payment_history), (SELECT max(accepted_position) FROM payments),
               (SELECT max(events_to) - 1 FROM traffic_counted), (SELECT max(events_to) - 1 FROM totals_summed)
             ) AS highest,
             pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS next
    ) found
    WHERE highest >= next + event_base()
  `.execute(database)
  const base = rows[0]?.base
  if (base === undefined) return
  await sql`
    CREATE OR REPLACE FUNCTION event_base() RETURNS bigint LANGUAGE sql STABLE RETURN ${sql.lit(base.toString())}::bigint
  `.execute(database)
  log.info({ event: 'event_base_raised', base: base.toString() })
}
