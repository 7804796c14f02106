import { randomBytes } from 'node:crypto'
import { inject } from 'vitest'
import { onDatabase, runStatement, testDatabaseName } from './test-run.ts'

export type TestDatabase = {
  readonly url: string
  /** Drops it, also with connections open. */
  readonly drop: () => Promise<void>
}

/**
 * A migrated, empty database for one test file, cloned from the run's template; or a copy of another, to which nobody may be
 * connected meanwhile.
 */
export const createTestDatabase = async (copyOf?: TestDatabase): Promise<TestDatabase> => {
  const serverUrl = inject('databaseUrl')
  const name = testDatabaseName(inject('testRun'), randomBytes(6).toString('hex'))
  const template = copyOf ? new URL(copyOf.url).pathname.slice(1) : inject('databaseTemplate')
  await runStatement(serverUrl, `CREATE DATABASE ${name} TEMPLATE ${template}`)
  return {
    url: onDatabase(serverUrl, name),
    drop: () => runStatement(serverUrl, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`),
  }
}
