import { randomBytes } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { Command } from 'commander'
import { ANSWER_WITHIN_MS, connectDatabase, type Database } from '../database/connect.ts'
import { createDatabaseClock, startFollowingClock } from '../database/database-clock.ts'
import { retryWhileUnavailable } from '../database/retry-while-unavailable.ts'
import { startDispatcher } from '../dispatcher/dispatcher.ts'
import { type DeliveryQueue, openDeliveryQueue } from '../queue/delivery-queue.ts'
import { systemClock } from '../runtime/clock.ts'
import { secretsOf } from '../runtime/config.ts'
import { type DispatchConfig, readDispatchConfig } from '../runtime/dispatch-config.ts'
import { createLog, flushLog, type Log } from '../runtime/log.ts'
import { createMetrics } from '../runtime/metrics.ts'
import { startOperationsServer } from '../runtime/operations-server.ts'
import { announceReady } from '../runtime/ready.ts'
import { createVault } from '../runtime/seal.ts'
import { untilAskedToStop } from '../runtime/shutdown.ts'
import { type Environment, hasParent } from './environment.ts'
import { readinessOf } from './readiness.ts'
import { DATABASE_PATIENCE_MS, requireSchema } from './require-schema.ts'

/** How long the ready line waits for the queue, so that it tells what is usual; nothing else does, ms. */
const QUEUE_PATIENCE_MS = 1_000

/** `dispatch`: delivers outcomes to partners. Any number of replicas. */
export const dispatchCommand = (environment: Environment): Command =>
  new Command('dispatch')
    .description('run the dispatcher: tells partners the outcomes, with retries')
    .option('--json', 'print one line of JSON when it is ready')
    .action(async (options: { json?: true }) => {
      process.exitCode = await runDispatch({ json: options.json === true, environment })
    })

/**
 * Runs the dispatcher until the process is asked to stop, or a defect shows. Resolves with the exit code: 0 when everything
 * under way was finished, 1 after a defect. Rejects when it cannot start: bad settings, no database, a port that is taken.
 */
export const runDispatch = async (options: { json: boolean; environment: Environment }): Promise<number> => {
  const asked = untilAskedToStop({ withParent: hasParent(options.environment) })
  const config = readDispatchConfig(options.environment)
  const log = createLog({
    name: 'dispatch',
    level: config.logLevel,
    secrets: secretsOf(options.environment),
  })
  const dispatch = await assemble(config, log)
  await queueSettled(dispatch.queueState)
  const fields = { process: 'dispatch', ops_url: dispatch.opsUrl, queue: dispatch.queueState() }
  announceReady({ json: options.json, text: textOf(fields), fields })
  log.info({ event: 'ready', process: fields.process, ops_url: fields.ops_url, queue: fields.queue })
  const code = await Promise.race([asked, dispatch.failed]).then(
    (reason) => {
      log.info({ event: 'stopping', reason })
      return 0
    },
    (error: unknown) => {
      log.fatal({ event: 'defect', err: error })
      return 1
    },
  )
  await dispatch.stop()
  log.info({ event: 'stopped' })
  await flushLog(log)
  return code
}

/** Starts the parts, one after the other; when one cannot, those before it are stopped again. */
const assemble = async (config: DispatchConfig, log: Log) => {
  await using starting = new AsyncDisposableStack()
  const database = openDatabase(config.database, log)
  starting.defer(() => database.destroy())
  await retryWhileUnavailable(DATABASE_PATIENCE_MS, () => requireSchema(database))
  const time = createDatabaseClock({ own: systemClock, nowMs, log })
  await retryWhileUnavailable(DATABASE_PATIENCE_MS, () => time.ask(database))
  const keepingTime = startFollowingClock({ time, database, log })
  starting.defer(() => keepingTime.stop().catch(() => undefined))
  const queue = openQueue(config.queue, log)
  const queueState = (): string => queue?.state() ?? 'none'
  starting.defer(() => queue?.close())
  const registry = createMetrics()
  let isStopping = false
  const operations = await startOperationsServer({
    host: config.operations.host,
    port: config.operations.port,
    registry,
    readiness: () => readinessOf({ database, queue, isStopping }),
    log,
  })
  starting.defer(() => operations.close())
  const dispatcher = startDispatcher({
    database,
    queue,
    scheduleMs: config.deliveries.scheduleMs,
    concurrency: config.deliveries.concurrency,
    endpointConcurrency: config.deliveries.endpointConcurrency,
    allowPrivateNetworks: config.deliveries.allowPrivateNetworks,
    nameServers: config.deliveries.nameServers,
    vault: createVault({
      secretKey: config.keys.secretKey,
      previousSecretKey: config.keys.previousSecretKey,
      randomBytes,
    }),
    registry,
    log,
    clock: time.clock,
    nowMs,
    random: Math.random,
  })
  starting.defer(() => dispatcher.stop())
  starting.defer(() => {
    isStopping = true
  })
  const started = starting.move()
  const stop = (): Promise<void> => started.disposeAsync()
  return {
    opsUrl: operations.url,
    queueState,
    failed: Promise.race([dispatcher.failed, keepingTime.ended]),
    stop,
  }
}

const nowMs = (): number => performance.now()

const openDatabase = ({ url, poolSize }: DispatchConfig['database'], log: Log): Database =>
  connectDatabase({
    databaseUrl: url,
    poolSize,
    log,
    answerWithinMs: ANSWER_WITHIN_MS,
    mustWrite: true,
    // Statements are planned once. Planned while a month's partition is still small, they would go on to read all of it when
    // it is large; all that the dispatcher asks for, it finds by an index.
    settings: { enable_seqscan: 'off' },
  })

const openQueue = ({ natsUrl, stream }: DispatchConfig['queue'], log: Log): DeliveryQueue | null =>
  natsUrl === null ? null : openDeliveryQueue({ natsUrl, stream, name: 'dispatch', log })

const queueSettled = async (queueState: () => string): Promise<void> => {
  const untilMs = performance.now() + QUEUE_PATIENCE_MS
  while (queueState() === 'away' && performance.now() < untilMs) await pause(10)
}

const textOf = (fields: { ops_url: string; queue: string }): string =>
  `The dispatcher delivers. Health and metrics: ${fields.ops_url}. Queue: ${fields.queue}.`
