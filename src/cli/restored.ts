import { randomBytes } from 'node:crypto'
import { Command } from 'commander'
import type { Actor } from '../core/audit/record-audit.ts'
import { beginEpoch } from '../core/restored/begin-epoch.ts'
import { findLost, type Lost } from '../core/restored/find-lost.ts'
import type { Database } from '../database/connect.ts'
import { type Judgement, judgeByMarks } from '../database/mark/judge-by-marks.ts'
import { openNumberGuard, raiseNumbers } from '../database/mark/number-guard.ts'
import { textOfAlarm } from '../database/mark/report-alarm.ts'
import { listStored, type Stored } from '../queue/list-stored.ts'
import { systemClock } from '../runtime/clock.ts'
import { type Config, readConfig } from '../runtime/config.ts'
import { createLog } from '../runtime/log.ts'
import { useDatabase, withRunningDatabase } from './database.ts'
import type { Environment } from './environment.ts'
import { type ByOptions, byOption, toOperator } from './options.ts'
import { CommandError, printJson, printLine, printTable } from './output.ts'

type RestoredOptions = ByOptions & { yes?: true }
type RestoredConfig = Config<'SPOOL_DIR' | 'NATS_URL' | 'NATS_STREAM' | 'LOG_LEVEL'>

/**
 * `restored`: an operator's statement that the database was put back to an older copy, and what is known of what it
 * lost.
 */
export const restoredCommand = (environment: Environment): Command =>
  new Command('restored')
    .description(
      'after the database was restored from a copy: list what is known of the payments that it does not have, raise its sequences past all that was given out, and begin a new epoch. Without --yes nothing is changed',
    )
    .option('--yes', 'do it: sequences are raised, and the alarm of every serve ends')
    .addOption(byOption())
    .addHelpText(
      'after',
      '\nRun it where serve runs, with its SPOOL_DIR, and while no dispatcher does: the marks and the spool are there, and a dispatcher takes what JetStream has stored. The whole way is in docs/operations.md, Restore a database.',
    )
    .action((options: RestoredOptions) => restored(environment, options))

const restored = async (environment: Environment, options: RestoredOptions): Promise<void> => {
  const actor = toOperator(options.by)
  const config = readConfig(await withRunningDatabase(environment), [
    'SPOOL_DIR',
    'NATS_URL',
    'NATS_STREAM',
    'LOG_LEVEL',
  ])
  const queue = await askQueue(config)
  const work = async (database: Database): Promise<void> => {
    const judged = await judgeByMarks({ database, folder: config.SPOOL_DIR, at: systemClock() })
    if (judged === null) throw new CommandError('the database is not whole: is it still being restored?')
    const lost = await findLost({ database, folder: config.SPOOL_DIR, judged, stored: queue.stored })
    const epoch = options.yes ? await confirm({ database, config, judged, lost, actor }) : null
    if (options.json) return printJson(toJson({ judged, lost, queue, epoch }))
    print({ judged, lost, queue, epoch, folder: config.SPOOL_DIR })
  }
  await useDatabase(environment, work, { isLooking: true })
}

type Queue = { stored: Stored | null; text: string }

const askQueue = async (config: RestoredConfig): Promise<Queue> => {
  if (config.NATS_URL === null) return { stored: null, text: 'not asked: there is no NATS_URL' }
  try {
    const stored = await listStored({ natsUrl: config.NATS_URL, stream: config.NATS_STREAM })
    return { stored, text: stored.isWhole ? 'asked' : 'asked for the oldest 10000 messages' }
  } catch (error) {
    return { stored: null, text: `not asked: ${error instanceof Error ? error.message : String(error)}` }
  }
}

/**
 * Does it, in an order in which it can be repeated from the start whenever it was cut off; returns the epoch's number.
 */
const confirm = async (parts: {
  database: Database
  config: RestoredConfig
  judged: Judgement
  lost: Lost
  actor: Actor
}): Promise<number> => {
  const { database, config, judged, lost, actor } = parts
  const { sequences, payments, deliveries } = lost
  await raiseNumbers(
    database,
    Object.fromEntries(sequences.map(({ sequence, goes_on_above }) => [sequence, goes_on_above])),
  )
  const about = { payments: payments.length, deliveries: deliveries.length, missing: judged.alarm?.missing }
  const epoch = await beginEpoch({ database, actor, randomBytes, about })
  if (judged.mark !== null) await reportMarks(database, config)
  return epoch
}

/** A serve that starts later reads in the marks of this folder that all is known. */
const reportMarks = async (database: Database, config: RestoredConfig): Promise<void> => {
  const guard = await openNumberGuard({
    folder: config.SPOOL_DIR,
    name: `restored-${randomBytes(8).toString('hex')}`,
    log: createLog({ name: 'gateway', level: config.LOG_LEVEL }),
    clock: systemClock,
    nowMs: () => performance.now(),
  })
  await guard.check(database)
}

type Report = { judged: Judgement; lost: Lost; queue: Queue; epoch: number | null }

const toJson = ({ judged, lost, queue, epoch }: Report) => ({
  done: epoch !== null,
  epoch,
  database: judged.alarm?.kind ?? (judged.mark === null ? 'unknown' : 'known'),
  noticed_at: judged.alarm?.at ?? null,
  payments_missing_above: judged.alarm?.missing.above ?? null,
  jetstream: queue.text,
  ...lost,
})

const print = (report: Report & { folder: string }): void => {
  const { judged, lost, queue, epoch } = report
  for (const line of describe(judged, report.folder)) printLine(line)
  printSection('Callbacks that came for payments which the database does not have:', lost.payments)
  printSection(
    `Deliveries that were due and that it does not have (JetStream ${queue.text}):`,
    lost.deliveries,
  )
  printSection('Where numbers go on:', lost.sequences)
  printLine('')
  if (epoch === null) return printLine('Nothing was changed. Tell the partners, then add --yes.')
  printLine(`Epoch ${epoch} has begun: what was given out before is given out no more.`)
}

const printSection = (title: string, rows: readonly Record<string, unknown>[]): void => {
  printLine('')
  printLine(title)
  printTable(rows, 'None.')
}

const describe = ({ mark, alarm }: Judgement, folder: string): string[] => {
  if (mark === null)
    return [
      `There is no mark in ${folder}: only callbacks and JetStream show what is missing. Is SPOOL_DIR that of serve?`,
    ]
  if (alarm === null) return ['The database has everything that the marks know of.']
  return [
    `Noticed at ${alarm.at}: ${textOfAlarm(alarm)}.`,
    `Payments above ${alarm.missing.above} are missing, but for those that were asked for since.`,
  ]
}
