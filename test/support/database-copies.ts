import { randomBytes } from 'node:crypto'
import { inject } from 'vitest'
import { copyDatabase, onDatabase, runStatement, testDatabaseName } from './test-run.ts'

const nameOf = (databaseUrl: string): string => new URL(databaseUrl).pathname.slice(1)

/** Makes one database a copy of another, whose connections are cut. */
const copy = async (from: string, to: string): Promise<void> => {
  const server = inject('databaseUrl')
  await runStatement(
    server,
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${from}'`,
  )
  await copyDatabase(server, from, to)
}

/** Keeps a copy of a database that nobody is using; resolves with the copy's URL. The run's end drops it. */
export const keepCopy = async (databaseUrl: string): Promise<string> => {
  const name = testDatabaseName(inject('testRun'), randomBytes(6).toString('hex'))
  await copy(nameOf(databaseUrl), name)
  return onDatabase(databaseUrl, name)
}

/** Puts a kept copy in the place of a database, with its name, under whoever is using it. */
export const putBack = async (databaseUrl: string, copyUrl: string): Promise<void> => {
  await runStatement(inject('databaseUrl'), `DROP DATABASE IF EXISTS ${nameOf(databaseUrl)} WITH (FORCE)`)
  await copy(nameOf(copyUrl), nameOf(databaseUrl))
}
