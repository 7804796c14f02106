import { Command } from 'commander'
import { migrateToLatest } from '../database/migrate.ts'
import { readConfig, secretsOf } from '../runtime/config.ts'
import { createLog } from '../runtime/log.ts'
import { withRunningDatabase } from './database.ts'
import type { Environment } from './environment.ts'
import { printJson, printLine } from './output.ts'

/** `migrate`: brings the database to the current schema. */
export const migrateCommand = (environment: Environment): Command =>
  new Command('migrate')
    .description('bring the database to the current schema; safe to run from many places at once')
    .option('--json', 'print one line of JSON')
    .action((options: { json?: true }) => migrate(environment, options))

const migrate = async (environment: Environment, options: { json?: true }): Promise<void> => {
  const config = readConfig(await withRunningDatabase(environment), ['DATABASE_URL', 'LOG_LEVEL'])
  const log = createLog({ name: 'migrate', level: config.LOG_LEVEL, secrets: secretsOf(environment) })
  const migrations = await migrateToLatest({ databaseUrl: config.DATABASE_URL, log })
  if (options.json) return printJson({ migrations })
  printLine(
    migrations.length === 0
      ? 'The schema is current.'
      : `Ran ${migrations.join(', ')}. The schema is current.`,
  )
}
