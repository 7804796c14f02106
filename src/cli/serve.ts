import { randomBytes } from 'node:crypto'
import { Command } from 'commander'
import type { Registry } from 'prom-client'
import { createCallbackIds } from '../core/callback/callback.ts'
import { createCallbackMetrics } from '../core/callback/callback-metrics.ts'
import { openSpool } from '../core/callback/spool.ts'
import { createCore } from '../core/core.ts'
import { addNumberMetrics, addOverduePayments, createCoreMetrics } from '../core/metrics.ts'
import { startPublishing } from '../core/outbox/publish.ts'
import { startConnectServer } from '../core/server/connect.ts'
import { startGrpcServer } from '../core/server/grpc.ts'
import { createInProcessClients } from '../core/server/in-process.ts'
import type { ServerTls } from '../core/server/server-tls.ts'
import type { Services } from '../core/server/services.ts'
import { ANSWER_WITHIN_MS, connectDatabase } from '../database/connect.ts'
import { createDatabaseClock, startFollowingClock } from '../database/database-clock.ts'
import { startFollowing } from '../database/mark/follow.ts'
import { openNumberGuard } from '../database/mark/number-guard.ts'
import { startFacade } from '../facade/server.ts'
import { type DeliveryQueue, openDeliveryQueue } from '../queue/delivery-queue.ts'
import { systemClock } from '../runtime/clock.ts'
import { secretsOf } from '../runtime/config.ts'
import { CONNECTION_LIMITS, type ConnectionLimits } from '../runtime/connection-guard.ts'
import { createWrongSecrets, type WrongSecrets } from '../runtime/count-wrong-secrets.ts'
import { createDropReporter } from '../runtime/drop-reporter.ts'
import { createLog, type Log } from '../runtime/log.ts'
import type { Loop } from '../runtime/loop.ts'
import { createMetrics } from '../runtime/metrics.ts'
import { startOperationsServer } from '../runtime/operations-server.ts'
import { announceReady } from '../runtime/ready.ts'
import { readServeConfig, type ServeConfig } from '../runtime/serve-config.ts'
import { untilAskedToStop, untilStopOrDefect } from '../runtime/shutdown.ts'
import { type Environment, hasParent } from './environment.ts'
import { readinessOf } from './readiness.ts'
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
    .action(async (options: { json?: true }) => {
      const stopRequested = untilAskedToStop({ withParent: hasParent(environment) })
      const config = readServeConfig(environment)
      const tls = await readServerTls(config.grpc)
      const log = createLog({ name: 'serve', level: config.logLevel, secrets: secretsOf(environment) })
      await serve({ config, tls, log, stopRequested, json: options.json === true })
    })

/**
 * Everything that is opened is closed in the opposite order, whatever happens: the listeners first, the database last.
 */
const serve = async (options: {
  config: ServeConfig
  tls: ServerTls | null
  log: Log
  stopRequested: Promise<string>
  json: boolean
}): Promise<void> => {
  const { config, log, stopRequested } = options
  const registry = createMetrics()
  await using open = new AsyncDisposableStack()
  const { time, newId, spool, guard, database, queue } = await openStores(config, log, open)

  let [isStarting, isStopping] = [true, false]
  const operations = await startOperationsServer({
    host: config.operations.host,
    port: config.operations.port,
    registry,
    readiness: () => readinessOf({ database, queue, alarm: guard.alarm(), isStarting, isStopping }),
    log,
  })
  open.defer(() => operations.close())
  addNumberMetrics(registry, guard)
  addOverduePayments(registry, database, config.operations.overdueAfterMs)

  const wrongSecrets = createWrongSecrets({ perMinute: config.callers.wrongSecretsPerMinute, nowMs })
  let publishing: Loop | null = null
  const core = createCore({
    config,
    database,
    log,
    metrics: createCoreMetrics(registry, database),
    clock: time.clock,
    nowMs,
    random: Math.random,
    randomBytes,
    newId,
    numbers: guard.numbersOf(database),
    spool,
    callbackMetrics: createCallbackMetrics(registry, spool),
    callbackPatienceMs: CALLBACK_PATIENCE_MS,
    wrongSecrets,
    onDeliveriesDue: () => publishing?.wake(),
  })
  await using entrance = new AsyncDisposableStack()
  entrance.defer(() => core.stop())
  // Callbacks can come at any moment: they are taken before there is a database.
  const facade = await openFacade({ config, services: core.services, wrongSecrets, log, registry })
  entrance.defer(() => facade.close())

  if (!(await untilDatabase({ database, guard, time, stopRequested, log }))) return
  const following = startFollowing({ database, guard, log })
  open.defer(() => following.stop())
  const keepingTime = startFollowingClock({ time, database, log })
  open.defer(() => keepingTime.stop().catch(() => undefined))
  publishing = startPublishing({ database, queue, log, nowMs })
  open.defer(() => publishing?.stop().catch(() => undefined))
  core.start()
  open.use(entrance.move())
  const rpc = await openRpc({ config, services: core.services, open, log, registry, tls: options.tls })
  isStarting = false

  const urls = {
    http_url: facade.url,
    grpc_url: rpc.grpcUrl,
    connect_url: rpc.connectUrl,
    ops_url: operations.url,
  }
  announceReady({ json: options.json, text: textOf(urls), fields: { process: 'serve', ...urls } })
  const line = { event: 'ready', ...urls }
  log.info(line)
  await untilStopOrDefect([stopRequested, core.failed, publishing.ended, keepingTime.ended], log)
  isStopping = true
}

/**
 * Opens what keeps things: the spool, the database behind the guard of its numbers, the queue. None of them need be
 * there yet.
 */
const openStores = async (config: ServeConfig, log: Log, open: AsyncDisposableStack) => {
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
  const queue = openQueue(config.queue, log)
  open.defer(() => queue?.close())
  return { time, newId, spool, guard, database, queue }
}

const openQueue = ({ natsUrl, stream }: ServeConfig['queue'], log: Log): DeliveryQueue | null =>
  natsUrl === null ? null : openDeliveryQueue({ natsUrl, stream, name: 'serve', log })

/** Opens what partners and Daraja come through. */
const openFacade = (options: {
  config: ServeConfig
  services: Services
  wrongSecrets: WrongSecrets
  log: Log
  registry: Registry
}) => {
  const { config, log, registry } = options
  const { payments, darajaCallbacks } = createInProcessClients(options.services)
  return startFacade({
    payments,
    darajaCallbacks,
    log,
    registry,
    limits: limitsOf(config),
    wrongSecrets: options.wrongSecrets,
    deliveryScheduleMs: config.deliveries.scheduleMs,
    randomBytes,
    trustedProxies: config.http.trustedProxies ?? [],
    host: config.http.host,
    port: config.http.port,
  })
}

/** Opens what internal services come through; closing finishes what is in flight. */
const openRpc = async (options: {
  config: ServeConfig
  services: Services
  open: AsyncDisposableStack
  log: Log
  registry: Registry
  tls: ServerTls | null
}): Promise<{ grpcUrl: string; connectUrl: string }> => {
  const { config, services, open, log, registry, tls } = options
  const { host } = config.grpc
  const limits = limitsOf(config)
  const reporterOf = (listener: 'grpc' | 'connect') =>
    createDropReporter({ door: listener, log, nowMs, registry })
  const grpc = await startGrpcServer({
    services,
    host,
    port: config.grpc.port,
    tls,
    limits,
    onCut: reporterOf('grpc'),
  })
  open.defer(() => grpc.close())
  const connect = await startConnectServer({
    services,
    host,
    port: config.grpc.connectPort,
    tls,
    limits,
    onCut: reporterOf('connect'),
  })
  open.defer(() => connect.close())
  const scheme = tls === null ? 'http' : 'https'
  return { grpcUrl: `${scheme}://${host}:${grpc.port}`, connectUrl: `${scheme}://${host}:${connect.port}` }
}

const limitsOf = ({ connections }: ServeConfig): ConnectionLimits => ({
  maxConnections: connections.maxConnections,
  maxPerAddress: connections.maxPerAddress,
  headersTimeoutMs: connections.headersTimeoutMs,
  requestTimeoutMs: connections.requestTimeoutMs,
  keepAliveMs: connections.keepAliveMs,
  checkEveryMs: CONNECTION_LIMITS.checkEveryMs,
})

const textOf = (urls: { http_url: string; grpc_url: string; connect_url: string }): string =>
  `The gateway serves REST at ${urls.http_url}, gRPC at ${urls.grpc_url}, Connect and gRPC-Web at ${urls.connect_url}`
