import { connectDatabase, type Database } from '../database/connect.ts'
import { readRunning } from '../local/running.ts'
import { readConfig } from '../runtime/config.ts'
import { createLog } from '../runtime/log.ts'
import type { Environment } from './environment.ts'
import { requireSchema } from './require-schema.ts'

/**
 * The environment with a `DATABASE_URL`: its own, or that of the `npm start` which runs with the same `DATA_DIR`, so that
 * commands typed beside it need no settings.
 */
export const withRunningDatabase = async (environment: Environment): Promise<Environment> => {
  if (environment['DATABASE_URL']) return environment
  const { DATA_DIR } = readConfig(environment, ['DATA_DIR'])
  const running = await readRunning(DATA_DIR)
  return running === null ? environment : { ...environment, DATABASE_URL: running.database_url }
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
