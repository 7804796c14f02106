import { Client } from 'pg'

/** All databases of test runs start so; the run's name follows, then what it is. */
const PREFIX = 'gateway_test'

/** The databases of one run of the suite. */
export type TestRun = {
  readonly templateName: string
  /** Makes the template: `migrate` is given its URL and leaves no connection open. */
  readonly createTemplate: (migrate: (databaseUrl: string) => Promise<unknown>) => Promise<void>
  /** Drops every database of the run. */
  readonly close: () => Promise<void>
}

/** The name of a database of a run; `what` in lower case. */
export const testDatabaseName = (runName: string, what: string): string => `${PREFIX}_${runName}_${what}`

/** The URL of another database on the server of the URL. */
export const onDatabase = (databaseUrl: string, name: string): string => {
  const url = new URL(databaseUrl)
  url.pathname = `/${name}`
  return url.href
}

/** Runs one statement on a connection of its own. */
export const runStatement = async (databaseUrl: string, statement: string): Promise<void> => {
  const client = new Client({ connectionString: databaseUrl })
  client.on('error', () => undefined)
  await client.connect()
  try {
    await client.query(statement)
  } finally {
    await client.end()
  }
}

/**
 * Makes a database that is a copy of another, to which nobody may be connected. Its files are copied, which takes Postgres half
 * the CPU of writing each of their pages into its log.
 */
export const copyDatabase = (serverUrl: string, from: string, to: string): Promise<void> =>
  runStatement(serverUrl, `CREATE DATABASE ${to} TEMPLATE ${from} STRATEGY file_copy`)

/**
 * Begins a run on the server: holds a connection whose `application_name` names the run as long as it lives, by which other
 * runs on the same server, from whatever machine, know it from one that was killed; and drops what killed runs left.
 */
export const openTestRun = async (options: { databaseUrl: string; runName: string }): Promise<TestRun> => {
  const { databaseUrl, runName } = options
  const client = new Client({
    connectionString: databaseUrl,
    application_name: `${PREFIX}_${runName}`,
    keepAlive: true,
  })
  client.on('error', () => undefined)
  await client.connect()
  await dropDatabases(client, await databasesOfKilledRuns(client))
  const templateName = testDatabaseName(runName, 'template')

  const createTemplate = async (migrate: (databaseUrl: string) => Promise<unknown>): Promise<void> => {
    await client.query(`CREATE DATABASE ${templateName} TEMPLATE template0 ENCODING 'UTF8'`)
    await migrate(onDatabase(databaseUrl, templateName))
    // A template with a connection cannot be cloned.
    await client.query(`ALTER DATABASE ${templateName} ALLOW_CONNECTIONS false`)
  }

  const close = async (): Promise<void> => {
    await dropDatabases(client, await databasesOf(client, runName))
    await client.end()
  }

  return { templateName, createTemplate, close }
}

const databasesOf = async (client: Client, runName: string): Promise<string[]> => {
  const { rows } = await client.query<{ name: string }>(
    'SELECT datname AS name FROM pg_database WHERE starts_with(datname, $1)',
    [testDatabaseName(runName, '')],
  )
  return rows.map(({ name }) => name)
}

const databasesOfKilledRuns = async (client: Client): Promise<string[]> => {
  const { rows } = await client.query<{ name: string }>(
    `SELECT datname AS name FROM pg_database
     WHERE datname ~ $1 AND NOT EXISTS (
       SELECT FROM pg_stat_activity
       WHERE application_name <> '' AND starts_with(pg_database.datname, application_name || '_')
     )`,
    [`^${PREFIX}_[0-9a-f]{8}_`],
  )
  return rows.map(({ name }) => name)
}

/** Drops the databases with their connections; one that another run is dropping too is left to it. */
const dropDatabases = async (client: Client, names: readonly string[]): Promise<void> => {
  for (const name of names)
    await client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`).catch(() => undefined)
}
