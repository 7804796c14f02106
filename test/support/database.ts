import { randomBytes } from 'node:crypto'
import { inject } from 'vitest'
import { onDatabase, runStatement, testDatabaseName } from './test-run.ts'

export type TestDatabase = {
  readonly url: string
  /** Drops it, also with connections open. */
  readonly drop: () => Promise<void>
}

/** A migrated, empty database for one test file, cloned from the run's template. */
export const createTestDatabase = async (): Promise<TestDatabase> => {
  const serverUrl = inject('databaseUrl')
  const name = testDatabaseName(inject('testRun'), randomBytes(6).toString('hex'))
  await runStatement(serverUrl, `CREATE DATABASE ${name} TEMPLATE ${inject('databaseTemplate')}`)
  return {
    url: onDatabase(serverUrl, name),
    drop: () => runStatement(serverUrl, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`),
  }
}
