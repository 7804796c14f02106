// `npm start`: everything on one machine.
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { Command, CommanderError } from 'commander'
import { DatabaseError } from 'pg'
import { isOutage } from '../database/outage.ts'
import { BadSettings, readConfig } from '../runtime/config.ts'
import { createLog, flushLog } from '../runtime/log.ts'
import { untilAskedToStop } from '../runtime/shutdown.ts'
import { UserError } from './child-process.ts'
import { takeLock } from './process-lock.ts'
import { reporterForPeople, reporterForScripts } from './reporter.ts'
import { runEverything } from './run.ts'

/** Exit codes, those of the other commands: 0 done, 1 failed, 2 called or set up wrongly. */
const FAILED = 1
const MISUSED = 2

/** Thrown out of what is under way when somebody asks to stop during the start. */
class AskedToStop extends Error {
  override name = 'AskedToStop'
}

const command = (): Command =>
  new Command('npm start --')
    .description('Runs the gateway on this machine with all that it needs, until Ctrl-C.')
    .option(
      '--json',
      'print one line of JSON on standard output when all is ready, and logs on standard error',
    )
    .allowExcessArguments(false)
    .addHelpText(
      'after',
      '\nIts data is kept in DATA_DIR (.data). DATABASE_URL, NATS_URL and DARAJA_BASE_URL, when set, replace the parts it would start; the other settings are in docs/settings.md.',
    )
    .exitOverride()

/** Takes DATA_DIR for this process alone. Throws `UserError` when another has it, or when it cannot be used. */
const claim = async (dataDir: string): Promise<() => void> => {
  const { heldBy, release } = await mkdir(dataDir, { recursive: true })
    .then(() => takeLock(join(dataDir, 'start.lock')))
    .catch((error: Error) => {
      throw new UserError(`DATA_DIR ${dataDir} cannot be used: ${error.message}`, { cause: error })
    })
  if (release !== null) return release
  throw new UserError(
    `npm start runs already with DATA_DIR ${dataDir}, as process ${heldBy}. End that one first, or name another DATA_DIR.`,
  )
}

const start = async (json: boolean): Promise<void> => {
  const stopping = new AbortController()
  const stop = (): void => stopping.abort(new AskedToStop())
  void untilAskedToStop({ withParent: false }).then(stop)
  // Whoever read it is gone, as with a terminal that was closed: nobody is left to show anything to.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', stop)
  const environment = process.env
  const { DATA_DIR: dataDir, LOG_LEVEL: level } = readConfig(environment, ['DATA_DIR', 'LOG_LEVEL'])
  const release = await claim(dataDir)
  const reporter = json ? reporterForScripts(level) : reporterForPeople(dataDir)
  const log = createLog({ name: 'start', level })
  try {
    await runEverything({ environment, dataDir, reporter, log, stopping: stopping.signal })
  } catch (error) {
    if (!(error instanceof AskedToStop)) throw error
  } finally {
    release()
    await reporter.finish()
    await flushLog(log)
  }
}

const explain = (error: unknown): { text: string; code: number } => {
  if (error instanceof BadSettings) return { text: error.message, code: MISUSED }
  if (error instanceof UserError) return { text: error.message, code: FAILED }
  if (isOutage(error))
    return {
      text: `the database cannot be reached: ${error instanceof Error ? error.message : String(error)}`,
      code: FAILED,
    }
  if (error instanceof DatabaseError) return { text: `the database refuses: ${error.message}`, code: FAILED }
  return { text: error instanceof Error ? (error.stack ?? error.message) : String(error), code: FAILED }
}

const main = async (): Promise<void> => {
  try {
    const { json } = command().parse().opts<{ json?: true }>()
    await start(json === true)
  } catch (error) {
    if (error instanceof CommanderError) {
      process.exitCode = error.exitCode === 0 ? 0 : MISUSED
      return
    }
    const { text, code } = explain(error)
    process.stderr.write(`${text}\n`)
    process.exitCode = code
  }
}

await main()
