import { sql } from 'kysely'
import { Client } from 'pg'
import type { Database } from '../../src/database/connect.ts'

/** How often Postgres has looked into the keys so far, by an index or not. Sessions report it when they have been idle for a second. */
export const countKeyLookups = async (database: Database): Promise<number> => {
  await new Promise((resolve) => setTimeout(resolve, 1_500))
  await sql`SELECT pg_stat_clear_snapshot()`.execute(database)
  const { rows } = await sql<{ scans: bigint }>`
    SELECT coalesce(sum(seq_scan + coalesce(idx_scan, 0)), 0)::bigint AS scans FROM pg_stat_user_tables WHERE relname = 'api_keys'
  `.execute(database)
  return Number(rows[0]?.scans ?? 0n)
}

/** Runs one statement on a connection of its own. */
export const runStatement = async (databaseUrl: string, statement: string): Promise<void> => {
  const client = new Client({ connectionString: databaseUrl })
  await client.connect()
  try {
    await client.query(statement)
  } finally {
    await client.end()
  }
}
