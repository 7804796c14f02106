import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { connectDatabase, type Database } from '../database/connect.ts'
import { isMigrated } from '../database/is-migrated.ts'
import { keepAboveMarks } from '../database/mark/judge-by-marks.ts'
import { PLANNED_BY_SIZE } from '../database/plan-settings.ts'
import { readRunning, readRunningSecretKey, readRunningSettings } from '../local/running.ts'
import { systemClock } from '../runtime/clock.ts'
import { COMMAND_SETTINGS } from '../runtime/command-settings.ts'
import { readConfig } from '../runtime/config.ts'
import { createLog } from '../runtime/log.ts'
import { createVault, type Vault } from '../runtime/seal.ts'
import type { Environment } from './environment.ts'
import { CommandError } from './output.ts'

/**
 * The environment with a `DATABASE_URL` and what goes with it (`NATS_URL`, `SPOOL_DIR`, `SECRET_KEY`,
 * `DARAJA_BASE_URL`, and every setting of its `serve` that is no secret): its own, or those of the `npm start` which runs
 * with the same `DATA_DIR`, so that commands typed beside it need no settings. Another database is never given that key.
 */
export const withRunningDatabase = async (environment: Environment): Promise<Environment> => {
  const { DATA_DIR } = readConfig(environment, ['DATA_DIR'])
  const running = await readRunning(DATA_DIR)
  const databaseUrl = environment['DATABASE_URL'] || running?.database_url
  if (running === null || databaseUrl !== running.database_url) return environment
  const secretKey = environment['SECRET_KEY'] || (await readRunningSecretKey(DATA_DIR)) || undefined
  const darajaUrl = environment['DARAJA_BASE_URL'] || (running.simulator_url ?? undefined)
  const spoolDir = environment['SPOOL_DIR'] || running.spool_dir || join(DATA_DIR, 'spool')
  const given = Object.fromEntries(Object.entries(environment).filter(([, value]) => value))
  return {
    ...readRunningSettings(DATA_DIR),
    ...given,
    DATABASE_URL: databaseUrl,
    NATS_URL: environment['NATS_URL'] || (running.nats_url ?? undefined),
    SECRET_KEY: secretKey,
    DARAJA_BASE_URL: darajaUrl,
    SPOOL_DIR: spoolDir,
  }
}

/** The vault that a command seals and opens with, from `SECRET_KEY` and `SECRET_KEY_PREVIOUS`. */
const openVaultOf = (environment: Environment): Vault => {
  const config = readConfig(environment, ['SECRET_KEY', 'SECRET_KEY_PREVIOUS'])
  return createVault({
    secretKey: config.SECRET_KEY,
    previousSecretKey: config.SECRET_KEY_PREVIOUS,
    randomBytes,
  })
}

/**
 * Opens the database for one command, runs it, and closes the database whatever happens. A restored database's
 * sequences are raised before the command draws numbers, unless it is one that only looks (`isLooking`). `work` may
 * open the vault.
 */
export const useDatabase = async <Result>(
  environment: Environment,
  work: (database: Database, openVault: () => Vault) => Promise<Result>,
  { isLooking = false } = {},
): Promise<Result> => {
  const found = await withRunningDatabase(environment)
  const config = readConfig(found, COMMAND_SETTINGS)
  const log = createLog({ name: 'gateway', level: config.LOG_LEVEL })
  const database = connectDatabase({
    databaseUrl: config.DATABASE_URL,
    poolSize: 2,
    log,
    settings: PLANNED_BY_SIZE,
    ...(!isLooking && { onConnect: keepAboveMarks({ folder: config.SPOOL_DIR, now: systemClock }) }),
  })
  try {
    await requireSchema(database)
    return await work(database, () => openVaultOf(found))
  } finally {
    await database.destroy()
  }
}

/** Throws a message for a person when the database is not at the schema of this release. */
export const requireSchema = async (database: Database): Promise<void> => {
  if (!(await isMigrated(database))) {
    throw new CommandError('the database does not have the current schema: run `gateway migrate` first')
  }
}
