import { randomBytes } from 'node:crypto'
import { Command } from 'commander'
import type { Registry } from 'prom-client'
import { createCallbackIds } from '../core/callback/callback.ts'
import { createCallbackMetrics } from '../core/callback/callback-metrics.ts'
import { openSpool } from '../core/callback/spool.ts'
import { createCore } from '../core/core.ts'
import { addNumberMetrics, addOverduePayments, createCoreMetrics } from '../core/metrics.ts'
import { type Publishing, startPublishing } from '../core/outbox/publish.ts'
import { createTracePublishing } from '../core/outbox/trace-publishing.ts'
import { createInProcessClients } from '../core/server/in-process.ts'
import type { ServerTls } from '../core/server/server-tls.ts'
import type { Services } from '../core/server/services.ts'
import { ANSWER_WITHIN_MS, connectDatabase, type Database } from '../database/connect.ts'
import { createDatabaseClock, startFollowingClock } from '../database/database-clock.ts'
import { startFollowing } from '../database/mark/follow.ts'
import { type NumberGuard, openNumberGuard } from '../database/mark/number-guard.ts'
import { startFacade } from '../facade/server.ts'
import { type DeliveryQueue, openDeliveryQueue } from '../queue/delivery-queue.ts'
import { systemClock } from '../runtime/clock.ts'
import { secretsOf } from '../runtime/config.ts'
import { countErrors } from '../runtime/count-errors.ts'
import { createWrongSecrets, type WrongSecrets } from '../runtime/count-wrong-secrets.ts'
import { createLog, type Log } from '../runtime/log.ts'
import { createMetrics } from '../runtime/metrics.ts'
import { type Readiness, startOperationsServer } from '../runtime/operations-server.ts'
import { announceReady } from '../runtime/ready.ts'
import { createNoteRefused, type NoteRefused } from '../runtime/refused-callers.ts'
import { readServeConfig, type ServeConfig } from '../runtime/serve-config.ts'
import { untilAskedToStop, untilStopOrDefect, untilStopped } from '../runtime/shutdown.ts'
import { openTracing, type Tracing, traceIdsFor } from '../runtime/tracing/tracing.ts'
import { createRehearsal } from '../simulator/rehearse.ts'
import { type Environment, hasParent } from './environment.ts'
import { limitsOf, openRpc } from './open-rpc.ts'
import { readinessOf, showDatabase } from './readiness.ts'
import { serveFacade } from './serve-facade.ts'
import { readServerTls } from './server-tls.ts'
import { untilDatabase } from './until-database.ts'

/** How long a callback waits for Postgres before the disk takes it, ms: Daraja is to be answered within a second. */
const CALLBACK_PATIENCE_MS = 300

const nowMs = (): number => performance.now()

/** `serve`: the REST facade and the core, with its loops. Any number of replicas. */
export const serveCommand = (environment: Environment): Command =>
  new Command('serve')
    .description('run the REST API, gRPC and Connect, and the loops that submit, reconcile and publish')
    .option('--json', 'print one line of JSON when it is ready')
    .option('--facade-only', 'run the REST API alone, before the core at CORE_URL')
    .action(async (options: { json?: true; facadeOnly?: true }) => {
      const stopRequested = untilAskedToStop({ withParent: hasParent(environment) })
      if (options.facadeOnly) {
        await serveFacade({ environment, stopRequested, json: options.json === true })
        return
      }
      const config = readServeConfig(environment)
      const tls = await readServerTls(config.grpc)
      const registry = createMetrics()
      const onLine = countErrors(registry)
      const secrets = secretsOf(environment)
      const traceIdOf = traceIdsFor(config)
      const log = createLog({ name: 'serve', level: config.logLevel, secrets, onLine, traceIdOf })
      const json = options.json === true
      await untilStopped({
        stopRequested,
        log,
        run: () => serve({ config, tls, log, registry, secrets, stopRequested, json }),
      })
    })

/**
 * Everything that is opened is closed in the opposite order, whatever happens: the listeners first, the database last.
 */
const serve = async (options: {
  config: ServeConfig
  tls: ServerTls | null
  log: Log
  registry: Registry
  secrets: readonly string[]
  stopRequested: Promise<string>
  json: boolean
}): Promise<void> => {
  const { config, tls, log, registry, secrets, stopRequested } = options
  await using open = new AsyncDisposableStack()
  const tracing = await openTracing({ config, name: 'serve', registry, log, secrets })
  open.defer(() => tracing?.close())
  const { time, newId, spool, guard, database, queue } = await openStores({ config, log, registry, open })

  let [isStarting, isStopping] = [true, false]
  const readiness = () => readinessOf({ database, queue, alarm: guard.alarm(), isStarting, isStopping })
  const operations = await openOperations({ config, registry, guard, database, readiness, log, open })

  const wrongSecrets = createWrongSecrets({ perMinute: config.callers.wrongSecretsPerMinute, nowMs })
  const noteRefused = createNoteRefused({ registry, log, nowMs })
  let publishing: Publishing | null = null
  const core = createCore({
    config,
    database,
    log,
    metrics: createCoreMetrics(registry, database),
    tracing,
    clock: time.clock,
    nowMs,
    random: Math.random,
    randomBytes,
    newId,
    numbers: guard.numbersOf(database),
    readAlarm: () => guard.alarm(),
    spool,
    callbackMetrics: createCallbackMetrics(registry, spool),
    callbackPatienceMs: CALLBACK_PATIENCE_MS,
    wrongSecrets,
    noteRefused,
    rehearsal: createRehearsal({ delayMs: config.rehearsal.delayMs }),
    onDeliveriesDue: () => publishing?.wake(),
    publishAtOnce: () => publishing?.atOnce() ?? null,
  })
  const { services } = core
  await using entrance = new AsyncDisposableStack()
  entrance.defer(() => core.stop())
  // Callbacks can come at any moment: they are taken before there is a database.
  const facade = await openFacade({ config, services, wrongSecrets, noteRefused, log, registry })
  entrance.defer(() => facade.close())

  if (!(await untilDatabase({ database, guard, time, stopRequested, log }))) return
  const following = startFollowing({ database, guard, log })
  open.defer(() => following.stop())
  const keepingTime = startFollowingClock({ time, database, log })
  open.defer(() => keepingTime.stop().catch(() => undefined))
  const trace = tracePublishing({ config, database, tracing })
  publishing = startPublishing({ database, queue, log, nowMs, trace })
  open.defer(() => publishing?.stop().catch(() => undefined))
  core.start()
  open.use(entrance.move())
  isStarting = false
  const rpc = await openRpc({ config, services, readiness, open, log, registry, tls })
  open.defer(() => core.endWatching())

  const { grpcUrl: grpc_url, connectUrl: connect_url } = rpc
  const urls = { http_url: facade.url, grpc_url, connect_url, ops_url: operations.url }
  sayReady({ json: options.json, log, urls })
  await untilStopOrDefect([stopRequested, core.failed, publishing.ended, keepingTime.ended], log)
  isStopping = true
}

const tracePublishing = (options: {
  config: ServeConfig
  database: Database
  tracing: Tracing | undefined
}) => {
  const { config, database, tracing } = options
  return tracing && createTracePublishing({ tracing, database, stream: config.queue.stream })
}

type Urls = Record<'http_url' | 'grpc_url' | 'connect_url' | 'ops_url', string>

/** Says on standard output and in the log that it works, and where it listens. */
const sayReady = ({ json, log, urls }: { json: boolean; log: Log; urls: Urls }): void => {
  announceReady({ json, text: textOf(urls), fields: { process: 'serve', ...urls } })
  const line = { event: 'ready', ...urls }
  log.info(line)
}

/**
 * Opens what keeps things: the spool, the database behind the guard of its numbers, the queue. None of them need be
 * there yet.
 */
const openStores = async (options: {
  config: ServeConfig
  log: Log
  registry: Registry
  open: AsyncDisposableStack
}) => {
  const { config, log, registry, open } = options
  const time = createDatabaseClock({ own: systemClock, nowMs, log })
  const newId = createCallbackIds({ clock: time.clock, randomBytes })
  const folder = config.callbacks.spoolFolder
  const spool = await openSpool({ folder, newId, log })
  open.defer(() => spool.close())
  const guard = await openNumberGuard({ folder, name: newId(), log, clock: time.clock, nowMs })
  const database = connectDatabase({
    databaseUrl: config.database.url,
    poolSize: config.database.poolSize,
    log,
    answerWithinMs: ANSWER_WITHIN_MS,
    mustWrite: true,
    onConnect: guard.onConnect,
  })
  open.defer(() => database.destroy())
  const queue = openQueue(config.queue, log, registry)
  open.defer(() => queue?.close())
  return { time, newId, spool, guard, database, queue }
}

const openQueue = (
  { natsUrl, stream, replicas }: ServeConfig['queue'],
  log: Log,
  registry: Registry,
): DeliveryQueue | null =>
  natsUrl === null ? null : openDeliveryQueue({ natsUrl, stream, replicas, name: 'serve', log, registry })

/** Opens what operators and their monitoring look at. */
const openOperations = async (options: {
  config: ServeConfig
  registry: Registry
  guard: NumberGuard
  database: Database
  readiness: () => Promise<Readiness>
  log: Log
  open: AsyncDisposableStack
}) => {
  const { registry, guard, database, readiness, log, open } = options
  const { host, port, overdueAfterMs } = options.config.operations
  const operations = await startOperationsServer({ host, port, registry, readiness, log })
  open.defer(() => operations.close())
  addNumberMetrics(registry, guard)
  showDatabase(registry, database)
  addOverduePayments(registry, database, overdueAfterMs)
  return operations
}

/** Opens what partners and Daraja come through. */
const openFacade = (options: {
  config: ServeConfig
  services: Services
  wrongSecrets: WrongSecrets
  noteRefused: NoteRefused
  log: Log
  registry: Registry
}) => {
  const { config, log, registry } = options
  const { payments, darajaCallbacks, status } = createInProcessClients(options.services)
  return startFacade({
    payments,
    darajaCallbacks,
    status,
    log,
    registry,
    limits: limitsOf(config),
    wrongSecrets: options.wrongSecrets,
    noteRefused: options.noteRefused,
    publicUrl: config.callbacks.publicUrl,
    deliveryScheduleMs: config.deliveries.scheduleMs,
    randomBytes,
    trustedProxies: config.http.trustedProxies ?? [],
    host: config.http.host,
    port: config.http.port,
  })
}

const textOf = (urls: Urls): string =>
  `The gateway serves REST at ${urls.http_url}, gRPC at ${urls.grpc_url}, Connect and gRPC-Web at ${urls.connect_url}`
