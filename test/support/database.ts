import { randomBytes } from 'node:crypto'
import { inject } from 'vitest'
import { connectDatabase, type Database } from '../../src/database/connect.ts'
import { quietLog } from './quiet-log.ts'
import { copyDatabase, onDatabase, runStatement, testDatabaseName } from './test-run.ts'

export type TestDatabase = {
  readonly url: string
  /** Drops it, also with connections open. */
  readonly drop: () => Promise<void>
}

const create = async (template: string): Promise<TestDatabase> => {
  const serverUrl = inject('databaseUrl')
  const name = testDatabaseName(inject('testRun'), randomBytes(6).toString('hex'))
  await copyDatabase(serverUrl, template, name)
  return {
    url: onDatabase(serverUrl, name),
    drop: () => runStatement(serverUrl, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`),
  }
}

/**
 * A migrated, empty database for one test file, cloned from the run's template; or a copy of another, to which nobody may be
 * connected meanwhile.
 */
export const createTestDatabase = (copyOf?: TestDatabase): Promise<TestDatabase> =>
  create(copyOf ? new URL(copyOf.url).pathname.slice(1) : inject('databaseTemplate'))

/** A database without a table, for who migrates it. */
export const createUnmigratedDatabase = (): Promise<TestDatabase> => create(`template0 ENCODING 'UTF8'`)

/** A database of a test's own, with connections to it. */
export type OpenDatabase = {
  url: string
  database: Database
  /** Closes the connections, and drops it. */
  close: () => Promise<void>
}

/** Connects to a database of the test's own: a migrated one unless another is given. */
export const openTestDatabase = async (
  options: { poolSize?: number; on?: TestDatabase; settings?: Record<string, string> } = {},
): Promise<OpenDatabase> => {
  const { poolSize = 4, on = await createTestDatabase(), settings = {} } = options
  const database = connectDatabase({ databaseUrl: on.url, poolSize, log: quietLog, settings })
  const close = async (): Promise<void> => {
    await database.destroy()
    await on.drop()
  }
  return { url: on.url, database, close }
}
