import { sql } from 'kysely'
import type { Database } from '../../src/database/connect.ts'

/** What a statement took: how often it ran, the blocks that it read or wrote, whether they were in memory or not, and its time. */
export type StatementBlocks = { statement: string; calls: number; rows: number; blocks: number; ms: number }

/** Forgets what Postgres counted of the statements of all databases so far. */
export const forgetStatements = async (database: Database): Promise<void> => {
  await sql`CREATE EXTENSION IF NOT EXISTS pg_stat_statements`.execute(database)
  await sql`SELECT pg_stat_statements_reset()`.execute(database)
}

/** All statements since, with their blocks, those with most first. */
export const countBlocks = async (database: Database): Promise<StatementBlocks[]> => {
  const { rows } = await sql<StatementBlocks>`
    SELECT regexp_replace(query, '\\s+', ' ', 'g') AS statement, calls::float8, rows::float8, total_exec_time + total_plan_time AS ms,
           (shared_blks_hit + shared_blks_read)::float8 AS blocks
    FROM pg_stat_statements
    WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND query NOT ILIKE '%pg_stat_statements%'
    ORDER BY blocks DESC
  `.execute(database)
  return rows
}

export const sumOfBlocks = (counted: readonly StatementBlocks[]): number =>
  counted.reduce((sum, { blocks }) => sum + blocks, 0)

export const sumOfCalls = (counted: readonly StatementBlocks[]): number =>
  counted.reduce((sum, { calls }) => sum + calls, 0)
