import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import type { Log } from '../runtime/log.ts'
import type { Database } from './connect.ts'
import { ourSchema } from './our-schema.ts'

/** How often it is asked whether another process is done that builds them, ms. */
const ASK_AGAIN_MS = 200

/**
 * Builds the indexes that migrations declared for a partitioned table (`CREATE INDEX … ON ONLY`), one partition after
 * the other and without stopping anybody who writes to it, however large it is: a migration that built them itself
 * would stop every request meanwhile. What was built before is kept, so that it can be interrupted and run again.
 */
export const buildIndexes = (database: Database, log: Log): Promise<void> =>
  database.connection().execute(async (connection) => {
    await lock(connection)
    try {
      for (const missing of await findMissing(connection)) {
        await build(connection, missing)
        log.info({ event: 'index_built', index: missing.child })
      }
    } finally {
      await sql`SELECT pg_advisory_unlock(${LOCK})`.execute(connection)
    }
  })

/** True when every index that a migration declared is built. */
export const areIndexesBuilt = async (database: Database): Promise<boolean> => {
  const { rows } = await sql`
    SELECT FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
    WHERE relkind = 'I' AND NOT indisvalid AND relnamespace = ${ourSchema} LIMIT 1
  `.execute(database)
  return rows.length === 0
}

const LOCK = sql`hashtext('mpesa-gateway indexes')`

/**
 * One process at a time builds. Never waited for inside a statement: that would be a transaction which the building of
 * an index in turn waits for.
 */
const lock = async (connection: Database): Promise<void> => {
  for (;;) {
    const { rows } = await sql<{ is_ours: boolean }>`SELECT pg_try_advisory_lock(${LOCK}) AS is_ours`.execute(
      connection,
    )
    if (rows[0]?.is_ours) return
    await sleep(ASK_AGAIN_MS)
  }
}

/** An index that a partition lacks: `parent` is the one that was declared, `definition` all that follows the table. */
type Missing = { parent: string; partition: string; child: string; definition: string }

const findMissing = async (connection: Database): Promise<Missing[]> => {
  const { rows } = await sql<Missing>`
    SELECT parent.relname AS parent, partition.relname AS partition,
           partition.relname || substring(parent.relname FROM length(whole.relname) + 1) || '_idx' AS child,
           substring(pg_get_indexdef(parent.oid) FROM ' USING .*') AS definition
    FROM pg_index
    JOIN pg_class parent ON parent.oid = indexrelid
    JOIN pg_class whole ON whole.oid = indrelid
    JOIN pg_inherits ON inhparent = indrelid
    JOIN pg_class partition ON partition.oid = inhrelid
    WHERE parent.relkind = 'I' AND NOT indisvalid AND parent.relnamespace = ${ourSchema}
      AND NOT EXISTS (
        SELECT FROM pg_inherits attached JOIN pg_index child ON child.indexrelid = attached.inhrelid
        WHERE attached.inhparent = parent.oid AND child.indrelid = partition.oid
      )
    ORDER BY parent.oid, partition.oid
  `.execute(connection)
  return rows
}

/** What a process left half built that was ended meanwhile is built anew. */
const build = async (
  connection: Database,
  { parent, partition, child, definition }: Missing,
): Promise<void> => {
  const { rows } = await sql<{ is_valid: boolean }>`
    SELECT indisvalid AS is_valid FROM pg_index WHERE indexrelid = to_regclass(${child})
  `.execute(connection)
  if (rows[0]?.is_valid === false) await sql`DROP INDEX CONCURRENTLY ${sql.ref(child)}`.execute(connection)
  await sql`
    CREATE INDEX CONCURRENTLY IF NOT EXISTS ${sql.ref(child)} ON ${sql.table(partition)} ${sql.raw(definition)}
  `.execute(connection)
  await sql`ALTER INDEX ${sql.ref(parent)} ATTACH PARTITION ${sql.ref(child)}`.execute(connection)
}
