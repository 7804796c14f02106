import { randomBytes } from 'node:crypto'
import { Command } from 'commander'
import { type Core, startCore } from '../core/core.ts'
import { startPublishing } from '../core/deliveries/publish.ts'
import { startConnectServer } from '../core/server/connect.ts'
import { startGrpcServer } from '../core/server/grpc.ts'
import { createInProcessClients } from '../core/server/in-process.ts'
import { connectDatabase, type Database } from '../database/connect.ts'
import { warnOfLostCommits } from '../database/durability.ts'
import { endureOutage } from '../database/endure.ts'
import { startFacade } from '../facade/server.ts'
import { type DeliveryQueue, openDeliveryQueue } from '../queue/delivery-queue.ts'
import { systemClock } from '../runtime/clock.ts'
import { type Config, readConfig } from '../runtime/config.ts'
import { createLog, type Log } from '../runtime/log.ts'
import { createMetrics } from '../runtime/metrics.ts'
import { type Readiness, startOperationsServer } from '../runtime/operations-server.ts'
import { announceReady } from '../runtime/ready.ts'
import { untilAskedToStop } from '../runtime/shutdown.ts'
import { type Environment, hasParent, SERVE_SETTINGS } from './environment.ts'
import { readinessOf } from './readiness.ts'
import { DATABASE_PATIENCE_MS, requireSchema } from './require-schema.ts'

type ServeConfig = Config<(typeof SERVE_SETTINGS)[number]>

/** `serve`: the REST facade and the core, with its loops. Any number of replicas. */
export const serveCommand = (environment: Environment): Command =>
  new Command('serve')
    .description('run the REST API, gRPC and Connect, and the loops that submit, reconcile and publish')
    .option('--json', 'print one line of JSON when it is ready')
    .action((options: { json?: true }) => serve(environment, options))

const serve = async (environment: Environment, options: { json?: true }): Promise<void> => {
  const asked = untilAskedToStop({ withParent: hasParent(environment) })
  const config = readConfig(environment, SERVE_SETTINGS)
  const log = createLog({ name: 'serve', level: config.LOG_LEVEL })
  const database = connectDatabase({
    databaseUrl: config.DATABASE_URL,
    poolSize: config.DATABASE_POOL_SIZE,
    log,
  })
  await endureOutage(DATABASE_PATIENCE_MS, () => requireSchema(database))
  await warnOfLostCommits(database, log)
  const queue = openQueue(config, log)
  const publishing = startPublishing({ database, queue, log, nowMs: () => performance.now() })
  const core = startCore({ ...coreOptions({ config, database, log }), onDeliveriesDue: publishing.wake })
  let stopping = false
  const readiness = async (): Promise<Readiness> => {
    const { ready, parts } = await readinessOf({ database, queueState: () => queue?.state() ?? 'none' })
    return { ready: ready && !stopping, parts: { ...parts, ...(stopping && { process: 'stopping' }) } }
  }
  const doors = await openDoors({ config, core, readiness, log })
  announceReady({
    json: options.json === true,
    text: textOf(doors.urls),
    fields: { process: 'serve', ...doors.urls },
  })
  log.info({ event: 'ready', ...doors.urls })
  try {
    const reason = await Promise.race([asked, core.failed, publishing.ended])
    log.info({ event: 'stopping', reason })
  } finally {
    stopping = true
    await doors.close()
    await core.stop()
    await publishing.stop().catch(() => undefined)
    await queue?.close()
    await doors.closeOperations()
    await database.destroy()
  }
}

const openQueue = (config: ServeConfig, log: Log): DeliveryQueue | null =>
  config.NATS_URL === null
    ? null
    : openDeliveryQueue({ natsUrl: config.NATS_URL, stream: config.NATS_STREAM, name: 'serve', log })

const coreOptions = (parts: { config: ServeConfig; database: Database; log: Log }) => {
  const { config } = parts
  return {
    ...parts,
    clock: systemClock,
    nowMs: () => performance.now(),
    random: Math.random,
    randomBytes,
    secretKey: config.SECRET_KEY,
    previousSecretKey: config.SECRET_KEY_PREVIOUS,
    publicUrl: config.PUBLIC_URL,
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
    reconcileAfterMs: config.RECONCILE_AFTER_MS,
  }
}

type Urls = { http_url: string; grpc_url: string; connect_url: string; ops_url: string }

/** Where operators look when `OPS_PORT` is not set. */
const DEFAULT_OPS_PORT = 8081

/** Opens what callers come through; `close` finishes what is in flight. */
const openDoors = async (parts: {
  config: ServeConfig
  core: Core
  readiness: () => Promise<Readiness>
  log: Log
}) => {
  const { config, log, readiness } = parts
  const { services } = parts.core
  const clients = createInProcessClients(services)
  const facade = await startFacade({
    ...clients,
    log,
    randomBytes,
    host: config.HTTP_HOST,
    port: config.HTTP_PORT,
  })
  const grpc = await startGrpcServer({ services, host: config.GRPC_HOST, port: config.GRPC_PORT })
  const connect = await startConnectServer({ services, host: config.GRPC_HOST, port: config.CONNECT_PORT })
  const operations = await startOperationsServer({
    host: config.OPS_HOST,
    port: config.OPS_PORT ?? DEFAULT_OPS_PORT,
    registry: createMetrics(),
    readiness,
    log,
  })
  const urls: Urls = {
    http_url: facade.url,
    grpc_url: `http://${config.GRPC_HOST}:${grpc.port}`,
    connect_url: `http://${config.GRPC_HOST}:${connect.port}`,
    ops_url: operations.url,
  }
  const close = async (): Promise<void> => {
    await Promise.all([facade.close(), grpc.close(), connect.close()])
  }
  return { urls, close, closeOperations: () => operations.close() }
}

const textOf = (urls: Urls): string =>
  `The gateway serves REST at ${urls.http_url}, gRPC at ${urls.grpc_url}, Connect and gRPC-Web at ${urls.connect_url}`
