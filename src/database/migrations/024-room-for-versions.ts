import { type Kysely, sql } from 'kysely'

/**
 * The partitions of payments and deliveries that are there already keep as much room on each new page as those to come:
 * for what was inserted before nothing changes, and nobody waits.
 */
export const up = (database: Kysely<unknown>): Promise<void> => fill(database, 50)

export const down = (database: Kysely<unknown>): Promise<void> => fill(database, 85)

const fill = async (database: Kysely<unknown>, percent: number): Promise<void> => {
  const { rows } = await sql<{ partition: string }>`
    SELECT relid::regclass::text AS partition
    FROM unnest(ARRAY['payments', 'deliveries']) AS given (name), pg_partition_tree(name::regclass) WHERE isleaf
  `.execute(database)
  for (const { partition } of rows)
    await sql`ALTER TABLE ${sql.table(partition)} SET (fillfactor = ${sql.lit(percent)})`.execute(database)
}
