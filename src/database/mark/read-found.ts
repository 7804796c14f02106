import { sql } from 'kysely'
import { DatabaseError } from 'pg'
import { z } from 'zod'
import type { Database } from '../connect.ts'
import { ourSchema } from '../our-schema.ts'
import type { Found } from './mark.ts'

/** What the statement below returns. */
const foundRow = z.object({
  system: z.string(),
  timeline: z.string(),
  database: z.string(),
  epochs: z.array(z.string()).min(1),
  numbers: z.record(z.string(), z.string().transform(BigInt)),
  newest_payment: z.string().transform(BigInt).nullable(),
  has_witness: z.boolean(),
})

/** SQLSTATE: there is no such table. */
const NO_SUCH_TABLE = '42P01'

/**
 * Reads what a database says of itself, in one statement, so of one moment. `witness` is a payment that should be
 * there; null for none. Null when the database has not the tables for it. Rejects on a standby, which knows nothing for
 * certain.
 */
export const readFound = async (database: Database, witness: bigint | null): Promise<Found | null> => {
  try {
    const { rows } = await sql`
      SELECT (SELECT system_identifier::text FROM pg_control_system()) AS system,
             left(pg_walfile_name(pg_current_wal_lsn()), 8) AS timeline,
             (SELECT oid::text FROM pg_database WHERE datname = current_database()) AS database,
             (SELECT coalesce(json_agg(token ORDER BY number), '[]') FROM epochs) AS epochs,
             -- Not by the view pg_sequences, which looks at every table there is, partitions too; OFFSET 0 has each looked up.
             (SELECT coalesce(json_object_agg(relname, coalesce(value, 0)::text), '{}')
              FROM pg_sequence CROSS JOIN LATERAL (
                SELECT relname, relnamespace,
                       CASE WHEN has_sequence_privilege(oid, 'SELECT, USAGE') THEN pg_sequence_last_value(oid) END AS value
                FROM pg_class WHERE oid = seqrelid OFFSET 0
              ) sequences
              WHERE relnamespace = ${ourSchema}) AS numbers,
             -- Without those below, so that partitions of long ago are not looked into each time.
             (SELECT max(id)::text FROM payments WHERE id >= ${witness ?? 0n}::bigint) AS newest_payment,
             (${witness}::bigint IS NULL OR EXISTS (SELECT FROM payments WHERE id = ${witness}::bigint)) AS has_witness
    `.execute(database)
    const found = toFound(foundRow.parse(rows[0]))
    return found.hasWitness || witness === null
      ? found
      : { ...found, newestPayment: await readNewestBelow(database, witness) }
  } catch (error) {
    if (error instanceof DatabaseError && error.code === NO_SUCH_TABLE) return null
    // No epoch: its tables are there and what is in them is not yet.
    if (error instanceof z.ZodError) return null
    throw error
  }
}

const readNewestBelow = async (database: Database, id: bigint): Promise<bigint | null> => {
  const newest = await database
    .selectFrom('payments')
    .select(({ fn }) => fn.max('id').as('id'))
    .where('id', '<', id)
    .executeTakeFirst()
  return newest?.id ?? null
}

const toFound = (row: z.output<typeof foundRow>): Found => ({
  identity: {
    system: row.system,
    timeline: row.timeline,
    database: row.database,
    epoch: row.epochs.at(-1) ?? '',
  },
  epochs: row.epochs,
  numbers: row.numbers,
  newestPayment: row.newest_payment,
  hasWitness: row.has_witness,
})
