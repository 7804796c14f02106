import { Client, type QueryResultRow } from 'pg'
import { printTable } from '../report.ts'
import type { StatementTime } from './stages.ts'
import type { SystemName } from './systems.ts'

/** What a Postgres needs that counts its statements. */
export const COUNT_STATEMENTS = {
  shared_preload_libraries: 'pg_stat_statements',
  'pg_stat_statements.max': '1000',
  'pg_stat_statements.track_planning': 'on',
}

/** For processes of Node that write down at their end, into the folder, where their CPU went. */
export const profileInto = (folder: string): Record<string, string> => ({
  NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${folder}`,
})

const MOST_STATEMENTS = 30

/** Forgets what was counted so far. */
export const forgetStatements = (databaseUrl: string): Promise<unknown> =>
  run(databaseUrl, 'CREATE EXTENSION IF NOT EXISTS pg_stat_statements; SELECT pg_stat_statements_reset()')

/**
 * Prints the statements of one database that took most time since, each with what it is for a payment; resolves with
 * them.
 */
export const printStatements = async (options: {
  system: SystemName
  databaseUrl: string
  payments: number
}): Promise<StatementTime[]> => {
  const { system, databaseUrl, payments } = options
  const rows = await run<{
    calls: number
    ms: number
    planning: number
    rows: number
    wal: number
    query: string
  }>(
    databaseUrl,
    `SELECT calls::float8, total_exec_time + total_plan_time AS ms, total_plan_time AS planning, rows::float8,
            wal_bytes::float8 AS wal, regexp_replace(query, '[[:space:]]+', ' ', 'g') AS query
     FROM pg_stat_statements WHERE query NOT ILIKE 'checkpoint%' AND dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
     ORDER BY ms DESC LIMIT ${MOST_STATEMENTS}`,
  )
  process.stdout.write(`statements of the ${system}, for one of ${payments} payments\n`)
  printTable(
    rows.map((row) => ({
      'ms a payment': (row.ms / payments).toFixed(3),
      planning: (row.planning / payments).toFixed(3),
      calls: (row.calls / payments).toFixed(3),
      rows: (row.rows / payments).toFixed(2),
      'WAL bytes': Math.round(row.wal / payments),
      statement: row.query.slice(0, 150),
    })),
  )
  return rows
}

const run = async <Row extends QueryResultRow>(databaseUrl: string, text: string): Promise<Row[]> => {
  const client = new Client({ connectionString: databaseUrl })
  await client.connect()
  try {
    return (await client.query<Row>(text)).rows
  } finally {
    await client.end()
  }
}
