import { randomBytes } from 'node:crypto'
import { Command } from 'commander'
import type { Registry } from 'prom-client'
import { createCallbackIds } from '../core/callback/callback.ts'
import { createCallbackMetrics } from '../core/callback/callback-metrics.ts'
import { openSpool } from '../core/callback/spool.ts'
import { type Core, startCore } from '../core/core.ts'
import { addNumberMetrics, addOverduePayments, createCoreMetrics } from '../core/metrics.ts'
import { startPublishing } from '../core/outbox/publish.ts'
import { startConnectServer } from '../core/server/connect.ts'
import { startGrpcServer } from '../core/server/grpc.ts'
import { createInProcessClients, type InProcessClients } from '../core/server/in-process.ts'
import type { ServerTls } from '../core/server/server-tls.ts'
import type { Database } from '../database/connect.ts'
import { createDatabaseClock, type DatabaseClock, startFollowingClock } from '../database/database-clock.ts'
import { warnOfLostCommits } from '../database/durability.ts'
import { startFollowing } from '../database/mark/follow.ts'
import type { NumberGuard } from '../database/mark/number-guard.ts'
import { retryWhileUnavailable } from '../database/retry-while-unavailable.ts'
import { type Facade, startFacade } from '../facade/server.ts'
import { type DeliveryQueue, openDeliveryQueue } from '../queue/delivery-queue.ts'
import { type Clock, systemClock } from '../runtime/clock.ts'
import { BadSettings, type Config, readConfig, secretsOf } from '../runtime/config.ts'
import { CONNECTION_LIMITS, type ConnectionLimits } from '../runtime/connection-guard.ts'
import { createDropReporter } from '../runtime/drop-reporter.ts'
import { createLog, type Log } from '../runtime/log.ts'
import { createMetrics } from '../runtime/metrics.ts'
import { startOperationsServer } from '../runtime/operations-server.ts'
import { announceReady } from '../runtime/ready.ts'
import { untilAskedToStop } from '../runtime/shutdown.ts'
import { createWrongSecrets, type WrongSecrets } from '../runtime/wrong-secrets.ts'
import { createEarlyClients } from './early-clients.ts'
import { type Environment, hasParent, SERVE_SETTINGS } from './environment.ts'
import { openGuardedDatabase } from './guarded-database.ts'
import { payerLimitsOf } from './payer-limits.ts'
import { readinessOf } from './readiness.ts'
import { requireSchema } from './require-schema.ts'
import { readServerTls } from './server-tls.ts'

type ServeConfig = Config<(typeof SERVE_SETTINGS)[number]>

/** `serve`: the REST facade and the core, with its loops. Any number of replicas. */
export const serveCommand = (environment: Environment): Command =>
  new Command('serve')
    .description('run the REST API, gRPC and Connect, and the loops that submit, reconcile and publish')
    .option('--json', 'print one line of JSON when it is ready')
    .action((options: { json?: true }) => serve(environment, options))

/** Everything that is opened is closed in the opposite order, whatever happens: the doors first, the database last. */
const serve = async (environment: Environment, options: { json?: true }): Promise<void> => {
  const asked = untilAskedToStop({ withParent: hasParent(environment) })
  const config = readConfig(environment, SERVE_SETTINGS)
  if (config.DARAJA_PULL && !config.DARAJA_UNIQUE_REFERENCE) {
    throw new BadSettings('DARAJA_PULL needs DARAJA_UNIQUE_REFERENCE on: what is pulled is told apart by it')
  }
  const tls = await readServerTls(config)
  const log = createLog({ name: 'serve', level: config.LOG_LEVEL, secrets: secretsOf(environment) })
  await using open = new AsyncDisposableStack()

  const nowMs = (): number => performance.now()
  const time = createDatabaseClock({ own: systemClock, nowMs, log })
  const newId = createCallbackIds({ clock: time.clock, randomBytes })
  const spool = await openSpool({ folder: config.SPOOL_DIR, newId, log })
  open.defer(() => spool.close())

  const { guard, database } = await openGuardedDatabase({ config, name: newId(), clock: time.clock, log })
  open.defer(() => database.destroy())
  const queue = openQueue(config, log)
  open.defer(() => queue?.close())

  let [isStarting, isStopping] = [true, false]
  const registry = createMetrics()
  const operations = await startOperationsServer({
    host: config.OPS_HOST,
    port: config.OPS_PORT ?? DEFAULT_OPS_PORT,
    registry,
    readiness: () => readinessOf({ database, queue, alarm: guard.alarm(), isStarting, isStopping }),
    log,
  })
  open.defer(() => operations.close())

  addNumberMetrics(registry, guard)
  const metrics = createCoreMetrics(registry, database)
  const callbacks = { spool, callbackMetrics: createCallbackMetrics(registry, spool) }
  const early = createEarlyClients({ ...settingsOf(config, time.clock), ...callbacks, metrics, log, newId })
  const wrongSecrets = createWrongSecrets({ perMinute: config.WRONG_KEYS_PER_MINUTE, nowMs })
  const facade = await openFacade({ config, clients: early.clients, log, registry, wrongSecrets })
  await using untilCore = new AsyncDisposableStack()
  untilCore.defer(() => facade.close())
  if (!(await untilDatabase({ database, guard, time, asked, log }))) return

  const following = startFollowing({ database, guard, log })
  open.defer(() => following.stop())
  const keepingTime = startFollowingClock({ time, database, log })
  open.defer(() => keepingTime.stop().catch(() => undefined))
  const publishing = startPublishing({ database, queue, log, nowMs })
  open.defer(() => publishing.stop().catch(() => undefined))
  addOverduePayments(registry, database, config.OPEN_PAYMENT_ALERT_AFTER_MS)
  const core = startCore({
    ...settingsOf(config, time.clock),
    database,
    numbers: guard.numbersOf(database),
    log,
    metrics,
    wrongSecrets,
    ...callbacks,
    onDeliveriesDue: publishing.wake,
  })
  open.defer(() => core.stop())
  open.use(untilCore.move())
  early.become(createInProcessClients(core.services))
  const urls = {
    http_url: facade.url,
    ...(await openServices({ config, core, open, log, registry, tls })),
    ops_url: operations.url,
  }
  isStarting = false

  announceReady({ json: options.json === true, text: textOf(urls), fields: { process: 'serve', ...urls } })
  log.info({ event: 'ready', ...urls })
  await untilAskedOrDefect([asked, core.failed, publishing.ended, keepingTime.ended], log)
  isStopping = true
}

/** Resolves when the process was asked to stop, or met a defect, which ends it. */
const untilAskedOrDefect = (ends: readonly Promise<unknown>[], log: Log): Promise<void> =>
  Promise.race(ends).then(
    (reason) => log.info({ event: 'stopping', reason }),
    (error: unknown) => {
      log.fatal({ event: 'defect', err: error })
      process.exitCode = 1
    },
  )

const openQueue = (config: ServeConfig, log: Log): DeliveryQueue | null =>
  config.NATS_URL === null
    ? null
    : openDeliveryQueue({ natsUrl: config.NATS_URL, stream: config.NATS_STREAM, name: 'serve', log })

/** What the core takes from the environment and from the process. */
const settingsOf = (config: ServeConfig, clock: Clock) => ({
  clock,
  nowMs: () => performance.now(),
  random: Math.random,
  randomBytes,
  secretKey: config.SECRET_KEY,
  previousSecretKey: config.SECRET_KEY_PREVIOUS,
  publicUrl: config.PUBLIC_URL,
  callbackPatienceMs: CALLBACK_PATIENCE_MS,
  callbackSources: {
    mode: config.CALLBACK_SOURCES_MODE,
    list: config.CALLBACK_SOURCES,
    strangers: {
      perMinute: config.CALLBACK_STRANGERS_PER_MINUTE,
      bytesPerMinute: config.CALLBACK_STRANGER_BYTES_PER_MINUTE,
      maxBytes: config.CALLBACK_STRANGER_MAX_BYTES,
    },
  },
  partnerRequestsPerSecond: config.PARTNER_REQUESTS_PER_SECOND,
  payerLimits: payerLimitsOf(config),
  callbackUrlPolicy: {
    allowHttp: config.CALLBACK_ALLOW_HTTP,
    allowPrivateNetworks: config.CALLBACK_ALLOW_PRIVATE_NETWORKS,
  },
  darajaBaseUrl: config.DARAJA_BASE_URL,
  darajaAccount: {
    consumerKey: config.DARAJA_CONSUMER_KEY,
    consumerSecret: config.DARAJA_CONSUMER_SECRET,
    shortcode: config.DARAJA_SHORTCODE,
    passkey: config.DARAJA_PASSKEY,
    transactionType: config.DARAJA_TRANSACTION_TYPE,
    partyB: config.DARAJA_PARTY_B ?? config.DARAJA_SHORTCODE,
  },
  darajaTimeoutMs: config.DARAJA_TIMEOUT_MS,
  submitTtlMs: config.SUBMIT_TTL_MS,
  submitConcurrency: config.SUBMIT_CONCURRENCY,
  pushesPerSecond: config.DARAJA_PUSHES_PER_SECOND,
  reconcileAfterMs: config.RECONCILE_AFTER_MS,
  queriesPerSecond: config.DARAJA_QUERIES_PER_SECOND,
  uniqueReference: config.DARAJA_UNIQUE_REFERENCE,
  pull: config.DARAJA_PULL ? { msisdn: config.DARAJA_PULL_MSISDN } : null,
  keepDays: { attempts: config.ATTEMPT_RETENTION_DAYS, callbacks: config.CALLBACK_RETENTION_DAYS },
  keepStrangersDays: config.CALLBACK_STRANGER_RETENTION_DAYS,
})

/** How long a callback waits for Postgres before the disk takes it, ms: Daraja is to be answered within a second. */
const CALLBACK_PATIENCE_MS = 300

/** Where operators look when `OPS_PORT` is not set. */
const DEFAULT_OPS_PORT = 8081

/**
 * Waits for a database that is away, however long: callbacks are taken meanwhile, and a process that ended would not take
 * them. False when it was asked to stop first. Throws when the schema is not that of this release.
 */
const untilDatabase = async (parts: {
  database: Database
  guard: NumberGuard
  time: DatabaseClock
  asked: Promise<string>
  log: Log
}): Promise<boolean> => {
  const waiting = new AbortController()
  void parts.asked.then(() => waiting.abort())
  let isTold = false
  const look = async (): Promise<void> => {
    try {
      await requireSchema(parts.database)
      await parts.guard.check(parts.database)
      await parts.time.ask(parts.database)
      await warnOfLostCommits(parts.database, parts.log)
    } catch (error) {
      if (!isTold) parts.log.warn({ event: 'database_awaited', err: error })
      isTold = true
      throw error
    }
  }
  try {
    await retryWhileUnavailable(Number.POSITIVE_INFINITY, look, waiting.signal)
    return true
  } catch (error) {
    if (waiting.signal.aborted) return false
    throw error
  }
}

/** Opens the partners' and Daraja's door. It is open before there is a core: a callback can come at any moment. */
const openFacade = (parts: {
  config: ServeConfig
  clients: InProcessClients
  log: Log
  registry: Registry
  wrongSecrets: WrongSecrets
}): Promise<Facade> => {
  const { config, clients, log, registry, wrongSecrets } = parts
  return startFacade({
    ...clients,
    log,
    registry,
    limits: limitsOf(config),
    wrongSecrets,
    deliveryScheduleMs: config.DELIVERY_SCHEDULE,
    randomBytes,
    trustedProxies: config.TRUSTED_PROXIES ?? [],
    host: config.HTTP_HOST,
    port: config.HTTP_PORT,
  })
}

const limitsOf = (config: ServeConfig): ConnectionLimits => ({
  ...CONNECTION_LIMITS,
  maxConnections: config.HTTP_MAX_CONNECTIONS,
  maxPerAddress: config.HTTP_MAX_CONNECTIONS_PER_ADDRESS,
  headersTimeoutMs: config.HTTP_HEADERS_TIMEOUT_MS,
  requestTimeoutMs: config.HTTP_REQUEST_TIMEOUT_MS,
  keepAliveMs: config.HTTP_KEEP_ALIVE_MS,
})

/** Opens what internal services come through; closing finishes what is in flight. */
const openServices = async (parts: {
  config: ServeConfig
  core: Core
  open: AsyncDisposableStack
  log: Log
  registry: Registry
  tls: ServerTls | null
}) => {
  const { config, open } = parts
  const { services } = parts.core
  const door = { services, host: config.GRPC_HOST, tls: parts.tls, limits: limitsOf(config) }
  const reporterOf = (name: 'grpc' | 'connect') =>
    createDropReporter({ ...parts, door: name, nowMs: () => performance.now() })
  const grpc = await startGrpcServer({ ...door, port: config.GRPC_PORT, onCut: reporterOf('grpc') })
  open.defer(() => grpc.close())
  const connect = await startConnectServer({
    ...door,
    port: config.CONNECT_PORT,
    onCut: reporterOf('connect'),
  })
  open.defer(() => connect.close())
  const scheme = parts.tls === null ? 'http' : 'https'
  return {
    grpc_url: `${scheme}://${config.GRPC_HOST}:${grpc.port}`,
    connect_url: `${scheme}://${config.GRPC_HOST}:${connect.port}`,
  }
}

const textOf = (urls: { http_url: string; grpc_url: string; connect_url: string }): string =>
  `The gateway serves REST at ${urls.http_url}, gRPC at ${urls.grpc_url}, Connect and gRPC-Web at ${urls.connect_url}`
