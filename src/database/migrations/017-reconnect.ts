import { type Kysely, sql } from 'kysely'

/** How long a connection may take to end, ms. */
const END_WITHIN_MS = 5_000

/**
 * Ends the connections of processes of release 0.1.0, which have statements prepared that select every column: after a
 * column was added those would fail for as long as the connection lives. To them it is an outage of a moment, and what
 * they prepare anew waits until this transaction has committed. They are the ones without a name; those of later
 * releases say theirs, and name their columns. Where this user may not end connections, `migrate` says so.
 */
export const up = async (database: Kysely<unknown>): Promise<void> => {
  await sql`
    SELECT pg_terminate_backend(pid, ${sql.lit(END_WITHIN_MS)})
    FROM pg_stat_activity JOIN pg_roles ON pg_roles.oid = usesysid
    WHERE datname = current_database() AND backend_type = 'client backend' AND application_name = ''
      AND pid <> pg_backend_pid()
      AND (pg_has_role(usesysid, 'USAGE') OR (pg_has_role('pg_signal_backend', 'USAGE') AND NOT rolsuper))
  `.execute(database)
}

export const down = (): Promise<void> => Promise.resolve()
