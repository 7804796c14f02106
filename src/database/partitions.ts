import { sql, type Transaction } from 'kysely'
import type { Database } from './connect.ts'
import type { Schema } from './schema/schema.ts'

/** Ids a partition of `payments` or `deliveries` holds. */
const IDS_PER_PARTITION = 10_000_000n

/** Months of `payment_history`, `callbacks` and `attempts` that are made ahead of the present one. */
const MONTHS_AHEAD = 3

const BY_ID = [
  { table: 'payments', sequence: 'payments_id_seq' },
  { table: 'deliveries', sequence: 'deliveries_id_seq' },
] as const

const BY_MONTH = ['payment_history', 'callbacks', 'attempts'] as const

/**
 * Creates the partitions that the coming rows need: for tables by id the one in use and the next, for tables by month the
 * present month and three more. Safe to run from many places at once; what exists is left alone.
 */
export const ensurePartitions = async (database: Database): Promise<void> => {
  await database.transaction().execute(async (transaction) => {
    await sql`SELECT pg_advisory_xact_lock(hashtext('mpesa-gateway partitions'))`.execute(transaction)
    for (const { table, sequence } of BY_ID) {
      const { rows } = await sql<{
        last: bigint
      }>`SELECT last_value AS last FROM ${sql.ref(sequence)}`.execute(transaction)
      const current = (rows[0]?.last ?? 0n) / IDS_PER_PARTITION
      await createIdPartition({ transaction, table, number: current })
      await createIdPartition({ transaction, table, number: current + 1n })
    }
    for (const table of BY_MONTH) {
      for (let month = 0; month <= MONTHS_AHEAD; month += 1)
        await createMonthPartition({ transaction, table, month })
    }
  })
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
    WITH (fillfactor = 85)
  `.execute(options.transaction)
}

const createMonthPartition = async (options: {
  transaction: Transaction<Schema>
  table: string
  month: number
}): Promise<void> => {
  const { rows } = await sql<{ label: string; from: string; to: string }>`
    SELECT to_char(start, 'YYYY_MM') AS label, start::text AS "from", (start + interval '1 month')::text AS "to"
    FROM (SELECT date_trunc('month', now() AT TIME ZONE 'UTC') + make_interval(months => ${options.month}) AS start) months
  `.execute(options.transaction)
  for (const { label, from, to } of rows) {
    await sql`
      CREATE TABLE IF NOT EXISTS ${sql.table(`${options.table}_${label}`)}
      PARTITION OF ${sql.table(options.table)}
      FOR VALUES FROM (${sql.lit(`${from}+00`)}) TO (${sql.lit(`${to}+00`)})
    `.execute(options.transaction)
  }
}
