import { type RawBuilder, sql, type Transaction } from 'kysely'
import { DatabaseError } from 'pg'
import type { Database } from './connect.ts'
import type { Schema } from './schema/schema.ts'

/** Ids a partition of `payments` or `deliveries` holds. */
export const IDS_PER_PARTITION = 10_000_000n

/** Months of `payment_history`, `callbacks` and `attempts` that are made ahead of the present one. */
const MONTHS_AHEAD = 3

const BY_ID = [
  { table: 'payments', sequence: 'payments_id_seq' },
  { table: 'deliveries', sequence: 'deliveries_id_seq' },
] as const

const BY_MONTH = ['payment_history', 'callbacks', 'attempts'] as const

/**
 * How full the pages of a table by id are made, percent. A payment is written four times within seconds and a delivery
 * three times, together with those beside it: with room for one more version of each on its page, their indexes are
 * left as they are. Measured: 92 and 98 % of the updates instead of 58 and 27, WAL a fifth less, and no more pages, for
 * a version without room takes a new one. Where long transactions keep dead rows, fewer and more.
 */
const FILLED_BY_ID = 50

/**
 * How full the pages of a table by month are made, percent. An attempt is written as started and again as finished, and
 * is twice as long then: with room for it on its page, its index is left as it is.
 */
const FILLED_BY_MONTH: Partial<Record<(typeof BY_MONTH)[number], number>> = { attempts: 45 }

/** How long a whole table may be waited for, ms: whoever comes meanwhile, with a payment too, waits behind us. */
const LOCK_TIMEOUT_MS = 500

/** Postgres's code for a lock that could not be had in time. */
const LOCK_NOT_AVAILABLE = '55P03'

/** True when something was given up for somebody else who kept a table for too long. */
export const isLockNotAvailable = (error: unknown): boolean =>
  error instanceof DatabaseError && error.code === LOCK_NOT_AVAILABLE

/** From now on the transaction gives up what it would have to wait longer for. */
export const limitWaiting = async (transaction: Transaction<Schema>): Promise<void> => {
  await sql`SELECT set_config('lock_timeout', ${`${LOCK_TIMEOUT_MS}ms`}, true)`.execute(transaction)
}

/**
 * Creates the partitions that the coming rows need: for tables by id the one in use and the next, for tables by month
 * the present month and three more. Safe to run from several processes at once; what exists is left alone. False: a
 * table of which one is missing is in use by a transaction that lasts, such as a `pg_dump`. Nothing was made, and it is
 * to be tried again: those that are missing are made long before they are needed.
 */
export const ensurePartitions = async (database: Database): Promise<boolean> => {
  try {
    await makePartitions(database)
    return true
  } catch (error) {
    if (isLockNotAvailable(error)) return false
    throw error
  }
}

const makePartitions = async (database: Database): Promise<void> => {
  await database.transaction().execute(async (transaction) => {
    await lockPartitions(transaction)
    await limitWaiting(transaction)
    for (const { table, sequence } of BY_ID) {
      const { rows } = await sql<{
        last: bigint
      }>`SELECT last_value AS last FROM ${sql.ref(sequence)}`.execute(transaction)
      await createIdPartitions(transaction, table, rows[0]?.last ?? 0n)
    }
    for (const table of BY_MONTH) {
      for (let month = 0; month <= MONTHS_AHEAD; month += 1) {
        const start = sql`date_trunc('month', now() AT TIME ZONE 'UTC') + make_interval(months => ${month})`
        await createMonthPartition({ transaction, table, start })
      }
    }
  })
}

/** Creates the partitions that rows need whose ids follow these numbers of sequences. */
export const ensurePartitionsOf = async (
  database: Database,
  numbers: Readonly<Record<string, bigint>>,
): Promise<void> => {
  await database.transaction().execute(async (transaction) => {
    await lockPartitions(transaction)
    for (const { table, sequence } of BY_ID) {
      const last = numbers[sequence]
      if (last !== undefined) await createIdPartitions(transaction, table, last)
    }
  })
}

/**
 * SQLSTATE of a row that breaks a check: of a constraint, which is then named, or of what a table's partitions hold.
 */
const CHECK_VIOLATION = '23514'

/**
 * True when an insert failed for want of the partition that its row belongs to. Not by the message: the server may say
 * it in another language.
 */
export const isWithoutPartition = (error: unknown): boolean =>
  error instanceof DatabaseError && error.code === CHECK_VIOLATION && error.constraint === undefined

/**
 * Creates the partitions of the months that hold `instants`, for a table by month: for rows of long ago, or from a
 * machine whose clock is wrong.
 */
export const ensureMonths = async (
  database: Database,
  table: (typeof BY_MONTH)[number],
  instants: readonly Date[],
): Promise<void> => {
  await database.transaction().execute(async (transaction) => {
    await lockPartitions(transaction)
    for (const month of new Set(instants.map((instant) => instant.toISOString().slice(0, 7)))) {
      await createMonthPartition({ transaction, table, start: sql`(${`${month}-01`}::text)::timestamp` })
    }
  })
}

/** One at a time creates, drops and hands over partitions; the others then find what it did. */
export const lockPartitions = async (transaction: Transaction<Schema>): Promise<void> => {
  await sql`SELECT pg_advisory_xact_lock(hashtext('mpesa-gateway partitions'))`.execute(transaction)
}

/** The partition that a table by id is using, and the next. */
const createIdPartitions = async (
  transaction: Transaction<Schema>,
  table: string,
  last: bigint,
): Promise<void> => {
  const current = last / IDS_PER_PARTITION
  await createIdPartition({ transaction, table, number: current })
  await createIdPartition({ transaction, table, number: current + 1n })
}

const createIdPartition = async (options: {
  transaction: Transaction<Schema>
  table: string
  number: bigint
}): Promise<void> => {
  const from = options.number * IDS_PER_PARTITION
  await sql`
    CREATE TABLE IF NOT EXISTS ${sql.table(`${options.table}_${options.number}`)}
    PARTITION OF ${sql.table(options.table)}
    FOR VALUES FROM (${sql.lit(from.toString())}) TO (${sql.lit((from + IDS_PER_PARTITION).toString())})
    WITH (fillfactor = ${sql.lit(FILLED_BY_ID)})
  `.execute(options.transaction)
}

const createMonthPartition = async (options: {
  transaction: Transaction<Schema>
  table: (typeof BY_MONTH)[number]
  /** The first instant of the month, UTC, as an SQL expression without a time zone. */
  start: RawBuilder<unknown>
}): Promise<void> => {
  const { rows } = await sql<{ label: string; from: string; to: string }>`
    SELECT to_char(start, 'YYYY_MM') AS label, start::text AS "from", (start + interval '1 month')::text AS "to"
    FROM (SELECT ${options.start} AS start) months
  `.execute(options.transaction)
  for (const { label, from, to } of rows) {
    await sql`
      CREATE TABLE IF NOT EXISTS ${sql.table(`${options.table}_${label}`)}
      PARTITION OF ${sql.table(options.table)}
      FOR VALUES FROM (${sql.lit(`${from}+00`)}) TO (${sql.lit(`${to}+00`)})
      WITH (fillfactor = ${sql.lit(FILLED_BY_MONTH[options.table] ?? 100)})
    `.execute(options.transaction)
  }
}
