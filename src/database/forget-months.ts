import { sql, type Transaction } from 'kysely'
import type { Database } from './connect.ts'
import { isLockNotAvailable, limitWaiting, lockPartitions } from './partitions.ts'
import type { Schema } from './schema/schema.ts'

/**
 * Drops the partitions of a table by month whose month ended more than `keepDays` days ago, by the database's clock and
 * in UTC; resolves with their names, oldest first. Whole months only, so rows are kept for up to a month longer; the
 * present month stays whatever is asked for. Safe to run from several processes at once: each is dropped by one of
 * them, and named by that one. A table that somebody reads for long is left for the next time, and so is a month of
 * callbacks while one of them is still to be interpreted.
 */
export const forgetOldMonths = async (options: {
  database: Database
  table: 'attempts' | 'callbacks'
  keepDays: number
}): Promise<string[]> => {
  const dropped: string[] = []
  const { database, table } = options
  for (const partition of await findOldMonths(options)) {
    if (await dropPartition({ database, table, partition })) dropped.push(partition)
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

/** False when another process dropped it first, its lock could not be had in time, or it is still needed. */
const dropPartition = async (options: {
  database: Database
  table: 'attempts' | 'callbacks'
  partition: string
}): Promise<boolean> => {
  const { partition } = options
  try {
    return await options.database.transaction().execute(async (transaction) => {
      await lockPartitions(transaction)
      await limitWaiting(transaction)
      const { rows } = await sql`SELECT FROM pg_class WHERE oid = to_regclass(${partition})`.execute(
        transaction,
      )
      if (rows.length === 0) return false
      if (options.table === 'callbacks' && (await holdsDuties(transaction, partition))) return false
      await sql`DROP TABLE ${sql.table(partition)}`.execute(transaction)
      return true
    })
  } catch (error) {
    if (isLockNotAvailable(error)) return false
    throw error
  }
}

/** True while a callback of the partition waits to be interpreted. Locked first, so that none comes in between. */
const holdsDuties = async (transaction: Transaction<Schema>, partition: string): Promise<boolean> => {
  await sql`LOCK TABLE ${sql.table(partition)} IN ACCESS EXCLUSIVE MODE`.execute(transaction)
  const { rows } = await sql`
    SELECT FROM to_interpret
    JOIN ${sql.table(partition)} AS kept ON kept.id = callback_id AND kept.received_at = to_interpret.received_at
    LIMIT 1
  `.execute(transaction)
  return rows.length > 0
}
