import { lookAtSpool } from '../core/callback/spool.ts'
import type { ProcessFacts } from '../core/situation/process.ts'
import {
  createReadSituation,
  type ReadSituation,
  type Situation,
  tellOutage,
} from '../core/situation/read-situation.ts'
import type { Database } from '../database/connect.ts'
import { judgeByMarks } from '../database/mark/judge-by-marks.ts'
import { isOutage } from '../database/outage.ts'
import { systemClock } from '../runtime/clock.ts'
import { readConfig } from '../runtime/config.ts'
import { withRunningDatabase } from './database.ts'
import type { Environment } from './environment.ts'

// The situation as a command sees it: spool and marks are those of SPOOL_DIR on this machine.

const readHere = async (environment: Environment) =>
  readConfig(await withRunningDatabase(environment), ['SPOOL_DIR', 'OPEN_PAYMENT_ALERT_AFTER_MS'])

/** Makes what reads the situation with what this machine knows. */
export const readSituationHere = async (
  environment: Environment,
  database: Database,
): Promise<ReadSituation> => {
  const { SPOOL_DIR: folder, OPEN_PAYMENT_ALERT_AFTER_MS: overdueAfterMs } = await readHere(environment)
  return readSituationAt({ database, folder, overdueAfterMs })
}

/** The same, with the spool and the marks in `folder`; times in ms. */
export const readSituationAt = (options: {
  database: Database
  folder: string
  overdueAfterMs: number
}): ReadSituation => {
  const { database, folder, overdueAfterMs } = options
  return createReadSituation({
    overdueAfterMs,
    readProcess: async () => ({
      spool: await lookAtSpool(folder),
      alarm: await readAlarm(database, folder),
    }),
    clock: systemClock,
  })
}

/** While Postgres is away nobody can say; the outage is told by whoever asks it next. */
const readAlarm = async (database: Database, folder: string): Promise<ProcessFacts['alarm']> => {
  try {
    return (await judgeByMarks({ database, folder, at: systemClock() }))?.alarm ?? null
  } catch (error) {
    if (isOutage(error)) return null
    throw error
  }
}

/** The situation where Postgres could not be asked, as `error` says. */
export const tellOutageHere = async (environment: Environment, error: unknown): Promise<Situation> => {
  const { SPOOL_DIR: folder } = await readHere(environment)
  const process = { spool: await lookAtSpool(folder), alarm: null }
  return tellOutage({ at: systemClock(), process, since: null, error })
}
