import { sql } from 'kysely'
import { DatabaseError } from 'pg'
import type { Database } from './connect.ts'
import { lockPartitions } from './partitions.ts'

/** How long a month's table may be waited for, ms: whoever comes meanwhile waits behind us. */
const LOCK_TIMEOUT_MS = 2_000

/** Postgres's code for a lock that could not be had in time. */
const LOCK_NOT_AVAILABLE = '55P03'

/**
 * Drops the partitions of a table by month whose month ended more than `keepDays` days ago, by the database's clock and in
 * UTC; resolves with their names, oldest first. Whole months only, so rows are kept for up to a month longer; the present
 * month stays whatever is asked for. Safe to run from many places at once: each is dropped by one of them, and named by
 * that one. A table that somebody reads for long is left for the next time.
 */
export const forgetOldMonths = async (options: {
  database: Database
  table: 'attempts' | 'callbacks'
  keepDays: number
}): Promise<string[]> => {
  const dropped: string[] = []
  for (const partition of await findOldMonths(options)) {
    if (await dropPartition(options.database, partition)) dropped.push(partition)
  }
  return dropped
}

const findOldMonths = async (options: {
  database: Database
  table: string
  keepDays: number
}): Promise<string[]> => {
  const { rows } = await sql<{ name: string }>`
    SELECT relname AS name
    FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
    WHERE inhparent = ${options.table}::regclass
      AND (to_date(substring(relname FROM '_(\\d{4}_\\d{2})$'), 'YYYY_MM') + interval '1 month') AT TIME ZONE 'UTC'
        <= now() - make_interval(days => ${options.keepDays})
    ORDER BY relname
  `.execute(options.database)
  return rows.map(({ name }) => name)
}

/** False when another process dropped it first, or its lock could not be had in time. */
const dropPartition = async (database: Database, partition: string): Promise<boolean> => {
  try {
    return await database.transaction().execute(async (transaction) => {
      await lockPartitions(transaction)
      await sql`SELECT set_config('lock_timeout', ${`${LOCK_TIMEOUT_MS}ms`}, true)`.execute(transaction)
      const { rows } = await sql`SELECT FROM pg_class WHERE oid = to_regclass(${partition})`.execute(
        transaction,
      )
      await sql`DROP TABLE IF EXISTS ${sql.table(partition)}`.execute(transaction)
      return rows.length > 0
    })
  } catch (error) {
    if (error instanceof DatabaseError && error.code === LOCK_NOT_AVAILABLE) return false
    throw error
  }
}
