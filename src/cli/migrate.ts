import { Command } from 'commander'
import { connectDatabase } from '../database/connect.ts'
import { judgeByMarks } from '../database/mark/judge-by-marks.ts'
import type { Alarm } from '../database/mark/mark.ts'
import { reportAlarm, textOfAlarm } from '../database/mark/report-alarm.ts'
import { migrateToLatest } from '../database/migrate.ts'
import { systemClock } from '../runtime/clock.ts'
import { MIGRATE_SETTINGS } from '../runtime/command-settings.ts'
import { type Config, readConfig, secretsOf } from '../runtime/config.ts'
import { createLog, type Log } from '../runtime/log.ts'
import { withRunningDatabase } from './database.ts'
import type { Environment } from './environment.ts'
import { printJson, printLine } from './output.ts'

/** `migrate`: brings the database to the current schema. */
export const migrateCommand = (environment: Environment): Command =>
  new Command('migrate')
    .description('bring the database to the current schema; safe to run several times at once')
    .option('--json', 'print one line of JSON')
    .action((options: { json?: true }) => migrate(environment, options))

const migrate = async (environment: Environment, options: { json?: true }): Promise<void> => {
  const config = readConfig(await withRunningDatabase(environment), MIGRATE_SETTINGS)
  const log = createLog({ name: 'migrate', level: config.LOG_LEVEL, secrets: secretsOf(environment) })
  const migrations = await migrateToLatest({ databaseUrl: config.DATABASE_URL, log })
  const alarm = await findAlarm(config, log)
  reportAlarm(log)(alarm)
  const warning = alarm && textOfAlarm(alarm)
  if (options.json) return printJson({ migrations, ...(warning !== null && { numbers: warning }) })
  printLine(
    migrations.length === 0
      ? 'The schema is current.'
      : `Ran ${migrations.join(', ')}. The schema is current.`,
  )
  if (warning !== null) printLine(`But ${warning}`)
}

/** What the marks of a `serve` say of the database, where this machine has any. */
const findAlarm = async (config: Config<'DATABASE_URL' | 'SPOOL_DIR'>, log: Log): Promise<Alarm | null> => {
  const database = connectDatabase({ databaseUrl: config.DATABASE_URL, poolSize: 1, log })
  try {
    const judged = await judgeByMarks({ database, folder: config.SPOOL_DIR, at: systemClock() })
    return judged?.alarm ?? null
  } finally {
    await database.destroy()
  }
}
