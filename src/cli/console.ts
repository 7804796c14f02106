import { randomBytes } from 'node:crypto'
import { Command } from 'commander'
import type { Registry } from 'prom-client'
import { countSignIns } from '../console/count-sign-ins.ts'
import { startConsole } from '../console/server.ts'
import { checkAccountAt } from '../core/daraja/check-account.ts'
import { createSignIns } from '../core/operators/sign-in.ts'
import { createGivenReferences } from '../core/statements/given-references.ts'
import { ANSWER_WITHIN_MS, connectDatabase, type Database } from '../database/connect.ts'
import { PLANNED_BY_SIZE } from '../database/plan-settings.ts'
import { systemClock } from '../runtime/clock.ts'
import { secretsOf } from '../runtime/config.ts'
import { type ConsoleConfig, readConsoleConfig } from '../runtime/console-config.ts'
import { countErrors } from '../runtime/count-errors.ts'
import { createLog, type Log } from '../runtime/log.ts'
import { createMetrics } from '../runtime/metrics.ts'
import { startOperationsServer } from '../runtime/operations-server.ts'
import { announceReady } from '../runtime/ready.ts'
import { createVault } from '../runtime/seal.ts'
import { untilAskedToStop, untilStopOrDefect, untilStopped } from '../runtime/shutdown.ts'
import { createClientsOf } from './console-clients.ts'
import { refusingOutages } from './console-refusals.ts'
import { requireSchema, withRunningDatabase } from './database.ts'
import { readDefaultAccount } from './default-account.ts'
import { type Environment, hasParent } from './environment.ts'
import { readinessOf, showDatabase } from './readiness.ts'
import { untilDatabaseInTime } from './until-database.ts'

/** Its reads are heavy and few: they must not take connections from those who take payments. */
const POOL_SIZE = 4

/** For how long test callbacks are begun, ms: with the last of them a browser waits for some half a minute. */
const SAMPLES_WITHIN_MS = 20_000

/** `console`: the operators' pages, in a process apart from those that take payments. */
export const consoleCommand = (environment: Environment): Command =>
  new Command('console')
    .description('run the operators’ console: pages to look at what happens, and to mend it')
    .option('--json', 'print one line of JSON when it is ready')
    .action(async (options: { json?: true }) => {
      const stopRequested = untilAskedToStop({ withParent: hasParent(environment) })
      const found = await withRunningDatabase(environment)
      const config = readConsoleConfig(found)
      const registry = createMetrics()
      const onLine = countErrors(registry)
      const log = createLog({ name: 'console', level: config.logLevel, secrets: secretsOf(found), onLine })
      const json = options.json === true
      await untilStopped({
        stopRequested,
        log,
        run: () => runConsole({ config, environment: found, log, registry, stopRequested, json }),
      })
    })

/** Runs the console until the process is asked to stop. Rejects when it cannot start: no database, a port taken. */
const runConsole = async (options: {
  config: ConsoleConfig
  environment: Environment
  log: Log
  registry: Registry
  stopRequested: Promise<string>
  json: boolean
}): Promise<void> => {
  const { config, environment, log, registry, stopRequested, json } = options
  await using open = new AsyncDisposableStack()
  const database = connectDatabase({
    databaseUrl: config.database.url,
    poolSize: POOL_SIZE,
    log,
    answerWithinMs: ANSWER_WITHIN_MS,
    settings: PLANNED_BY_SIZE,
  })
  open.defer(() => database.destroy())
  const look = (): Promise<void> => requireSchema(database)
  if (!(await untilDatabaseInTime({ look, stopRequested, log }))) return
  showDatabase(registry, database)
  let isStopping = false
  const operations = await startOperationsServer({
    host: config.operations.host,
    port: config.operations.port,
    registry,
    readiness: () => readinessOf({ database, isStopping }),
    log,
  })
  open.defer(() => operations.close())
  const running = await startConsole({
    clientsOf: clientsOf(config, environment, database, log),
    signIns: countSignIns(refusingOutages(createSignIns({ database, log, randomBytes })), registry),
    log,
    registry,
    clock: systemClock,
    hosts: hostsOf(config),
    trustedProxies: config.trustedProxies ?? [],
    isReady: () => isAnswering(database),
    host: config.listen.host,
    port: config.listen.port,
  })
  open.defer(() => running.close())
  const fields = { process: 'console', console_url: running.url, ops_url: operations.url }
  announceReady({ json, text: textOf(fields), fields })
  log.info({ event: 'ready', process: fields.process, console_url: running.url, ops_url: operations.url })
  await untilStopOrDefect([stopRequested], log)
  isStopping = true
}

const textOf = (urls: { console_url: string; ops_url: string }): string =>
  `The console shows pages at ${urls.console_url}. Health and metrics: ${urls.ops_url}.`

const clientsOf = (config: ConsoleConfig, environment: Environment, database: Database, log: Log) => {
  const { secretKey, previousSecretKey } = config.keys
  return createClientsOf({
    database,
    log,
    vault: createVault({ secretKey, previousSecretKey, randomBytes }),
    randomBytes,
    spoolFolder: config.spoolFolder,
    overdueAfterMs: config.operations.overdueAfterMs,
    fourEyes: config.operations.fourEyes,
    sampleWay: config.callbacks,
    samplesWithinMs: SAMPLES_WITHIN_MS,
    defaultAccount: () => readDefaultAccount(environment),
    checkAccount: checkAccountAt(config.daraja),
    openReferences: () => createGivenReferences(config.keys),
  })
}

/** The names by which browsers may come, beside this machine's own. */
const hostsOf = ({ url, listen }: ConsoleConfig): string[] => [
  ...(url === null ? [] : [new URL(url).hostname]),
  ...(listen.host === '0.0.0.0' || listen.host === '::' ? [] : [listen.host]),
]

const isAnswering = (database: Database): Promise<boolean> =>
  requireSchema(database).then(
    () => true,
    () => false,
  )
