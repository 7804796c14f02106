import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { connectDatabase, type Database } from '../database/connect.ts'
import { readRunning, readRunningSecretKey } from '../local/running.ts'
import { readConfig } from '../runtime/config.ts'
import { createLog } from '../runtime/log.ts'
import { createVault, type Vault } from '../runtime/seal.ts'
import type { Environment } from './environment.ts'
import { requireSchema } from './require-schema.ts'

/**
 * The environment with a `DATABASE_URL`, a `SECRET_KEY`, a `DARAJA_BASE_URL` and a `SPOOL_DIR`: its own, or those of the
 * `npm start` which runs with the same `DATA_DIR`, so that commands typed beside it need no settings. Another database is never
 * given that key.
 */
export const withRunningDatabase = async (environment: Environment): Promise<Environment> => {
  const { DATA_DIR } = readConfig(environment, ['DATA_DIR'])
  const running = await readRunning(DATA_DIR)
  const databaseUrl = environment['DATABASE_URL'] || running?.database_url
  if (running === null || databaseUrl !== running.database_url) return environment
  const secretKey = environment['SECRET_KEY'] || (await readRunningSecretKey(DATA_DIR)) || undefined
  const darajaUrl = environment['DARAJA_BASE_URL'] || (running.simulator_url ?? undefined)
  const spoolDir = environment['SPOOL_DIR'] || running.spool_dir || join(DATA_DIR, 'spool')
  return {
    ...environment,
    DATABASE_URL: databaseUrl,
    SECRET_KEY: secretKey,
    DARAJA_BASE_URL: darajaUrl,
    SPOOL_DIR: spoolDir,
  }
}

/** The vault that a command seals and opens with, from `SECRET_KEY` and `SECRET_KEY_PREVIOUS`. */
export const openVault = async (environment: Environment): Promise<Vault> => {
  const config = readConfig(await withRunningDatabase(environment), ['SECRET_KEY', 'SECRET_KEY_PREVIOUS'])
  return createVault({
    secretKey: config.SECRET_KEY,
    previousSecretKey: config.SECRET_KEY_PREVIOUS,
    randomBytes,
  })
}

/** Opens the database for one command, runs it, and closes the database whatever happens. */
export const useDatabase = async <Result>(
  environment: Environment,
  work: (database: Database) => Promise<Result>,
): Promise<Result> => {
  const config = readConfig(await withRunningDatabase(environment), ['DATABASE_URL', 'LOG_LEVEL'])
  const log = createLog({ name: 'gateway', level: config.LOG_LEVEL })
  const database = connectDatabase({ databaseUrl: config.DATABASE_URL, poolSize: 2, log })
  try {
    await requireSchema(database)
    return await work(database)
  } finally {
    await database.destroy()
  }
}
