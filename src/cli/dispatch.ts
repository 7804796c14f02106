import { randomBytes } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { Command } from 'commander'
import type { Registry } from 'prom-client'
import { ANSWER_WITHIN_MS, connectDatabase, type Database } from '../database/connect.ts'
import { createDatabaseClock, startFollowingClock } from '../database/database-clock.ts'
import { startDispatcher } from '../dispatcher/dispatcher.ts'
import { createDispatcherTraces } from '../dispatcher/traces.ts'
import { type DeliveryQueue, openDeliveryQueue } from '../queue/delivery-queue.ts'
import { systemClock } from '../runtime/clock.ts'
import { secretsOf } from '../runtime/config.ts'
import { countErrors } from '../runtime/count-errors.ts'
import { type DispatchConfig, readDispatchConfig } from '../runtime/dispatch-config.ts'
import { createLog, type Log } from '../runtime/log.ts'
import { createMetrics } from '../runtime/metrics.ts'
import { startOperationsServer } from '../runtime/operations-server.ts'
import { announceReady } from '../runtime/ready.ts'
import { createVault } from '../runtime/seal.ts'
import { untilAskedToStop, untilStopOrDefect, untilStopped } from '../runtime/shutdown.ts'
import { openTracing, traceIdsFor } from '../runtime/tracing/tracing.ts'
import { requireSchema } from './database.ts'
import { type Environment, hasParent } from './environment.ts'
import { readinessOf, showDatabase } from './readiness.ts'
import { untilDatabaseInTime } from './until-database.ts'

/** How long the ready line waits for the queue, so that it shows the usual state; nothing else waits for it, ms. */
const QUEUE_PATIENCE_MS = 1_000

/** `dispatch`: delivers outcomes to partners. Any number of replicas. */
export const dispatchCommand = (environment: Environment): Command =>
  new Command('dispatch')
    .description('run the dispatcher: delivers outcomes to partners, with retries')
    .option('--json', 'print one line of JSON when it is ready')
    .action(async (options: { json?: true }) => {
      const stopRequested = untilAskedToStop({ withParent: hasParent(environment) })
      const config = readDispatchConfig(environment)
      const registry = createMetrics()
      const onLine = countErrors(registry)
      const secrets = secretsOf(environment)
      const traceIdOf = traceIdsFor(config)
      const log = createLog({ name: 'dispatch', level: config.logLevel, secrets, onLine, traceIdOf })
      const json = options.json === true
      await untilStopped({
        stopRequested,
        log,
        run: () => dispatch({ config, log, registry, secrets, stopRequested, json }),
      })
    })

/**
 * Runs the dispatcher until the process is asked to stop, or a defect shows: then the exit code is 1. Rejects when it
 * cannot start: no database, a port that is taken. What is opened is closed in the opposite order, whatever happens.
 */
const dispatch = async (options: {
  config: DispatchConfig
  log: Log
  registry: Registry
  secrets: readonly string[]
  stopRequested: Promise<string>
  json: boolean
}): Promise<void> => {
  const { config, log, registry, secrets, stopRequested, json } = options
  await using open = new AsyncDisposableStack()
  const tracing = await openTracing({ config, name: 'dispatch', registry, log, secrets })
  open.defer(() => tracing?.close())
  const database = openDatabase(config.database, log)
  open.defer(() => database.destroy())
  const time = createDatabaseClock({ own: systemClock, nowMs, log })
  const look = async (): Promise<void> => {
    await requireSchema(database)
    await time.ask(database)
  }
  if (!(await untilDatabaseInTime({ look, stopRequested, log }))) return
  const keepingTime = startFollowingClock({ time, database, log })
  open.defer(() => keepingTime.stop().catch(() => undefined))
  const queue = openQueue(config.queue, log, registry)
  open.defer(() => queue?.close())

  showDatabase(registry, database)
  let isStopping = false
  const operations = await startOperationsServer({
    host: config.operations.host,
    port: config.operations.port,
    registry,
    readiness: () => readinessOf({ database, queue, isStopping }),
    log,
  })
  open.defer(() => operations.close())

  const dispatcher = startDispatcher({
    database,
    queue,
    scheduleMs: config.deliveries.scheduleMs,
    concurrency: config.deliveries.concurrency,
    endpointConcurrency: config.deliveries.endpointConcurrency,
    allowPrivateNetworks: config.deliveries.allowPrivateNetworks,
    nameServers: config.deliveries.nameServers,
    sink: config.signals,
    vault: createVault({
      secretKey: config.keys.secretKey,
      previousSecretKey: config.keys.previousSecretKey,
      randomBytes,
    }),
    registry,
    log,
    traces: tracing && createDispatcherTraces(tracing, config.queue),
    clock: time.clock,
    nowMs,
    random: Math.random,
  })
  open.defer(() => dispatcher.stop())

  await queueSettled(queue)
  const fields = { process: 'dispatch', ops_url: operations.url, queue: queue?.state() ?? 'none' }
  announceReady({ json, text: textOf(fields), fields })
  log.info({ event: 'ready', process: fields.process, ops_url: fields.ops_url, queue: fields.queue })
  await untilStopOrDefect([stopRequested, dispatcher.failed, keepingTime.ended], log)
  isStopping = true
}

const nowMs = (): number => performance.now()

const openDatabase = ({ url, poolSize }: DispatchConfig['database'], log: Log): Database =>
  connectDatabase({
    databaseUrl: url,
    poolSize,
    log,
    answerWithinMs: ANSWER_WITHIN_MS,
    mustWrite: true,
  })

const openQueue = (
  { natsUrl, stream, replicas }: DispatchConfig['queue'],
  log: Log,
  registry: Registry,
): DeliveryQueue | null =>
  natsUrl === null ? null : openDeliveryQueue({ natsUrl, stream, replicas, name: 'dispatch', log, registry })

const queueSettled = async (queue: DeliveryQueue | null): Promise<void> => {
  const untilMs = nowMs() + QUEUE_PATIENCE_MS
  while (queue?.state() === 'away' && nowMs() < untilMs) await pause(10)
}

const textOf = (fields: { ops_url: string; queue: string }): string =>
  `The dispatcher delivers. Health and metrics: ${fields.ops_url}. Queue: ${fields.queue}.`
