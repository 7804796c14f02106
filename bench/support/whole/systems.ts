import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import getPort from 'get-port'
import { ensureDatabase } from '../../../src/local/postgres.ts'
import { openPayments } from '../../peers/express-bullmq/payments.ts'
import { cpuSeconds, cpuSecondsOfChildren } from '../cpu-time.ts'
import { type DeliveryServices, startDeliveryServices } from '../delivery-services.ts'
import { type BenchRedis, startBenchRedis } from '../redis.ts'
import { startGateway, startPeer } from '../server-process.ts'

/** Seconds of CPU so far. `web` is `serve` or Express, `worker` is `dispatch` or BullMQ, `broker` is NATS or Redis. */
export type Cpu = { web: number; worker: number; postgres: number; ofItWal: number; broker: number }

/** One of the two that are compared, running. */
export type System = {
  url: string
  apiKeys: string[]
  cpu(): Promise<Cpu>
  stop(): Promise<void>
}

export type SystemName = 'peer' | 'gateway'

/** What both need, and how each is started. */
export type WholeServices = {
  services: DeliveryServices
  databaseUrls: Record<SystemName, string>
  start(name: SystemName, darajaUrl: string): Promise<System>
  stop(): Promise<void>
}

type Options = {
  partners: number
  /** Pushes to Daraja at once; null: as many as the gateway makes by default. */
  pushesAtOnce: { peer: number; gateway: number | null }
  say: (text: string) => void
  /** What processes of the gateway get beside their settings. */
  gatewayEnvironment: Record<string, string>
  postgresSettings: Record<string, string>
  isFresh: boolean
}

/** Postgres, NATS and Redis of the measurement's own; both systems have a database on the one Postgres. */
export const startWholeServices = async (options: Options): Promise<WholeServices> => {
  const services = await startDeliveryServices(options)
  const folder = await mkdtemp(join(tmpdir(), 'gateway-bench-'))
  const redis = await startBenchRedis({ ...options, dataFolder: folder })
  const peer = await preparePeer(services, options)
  return {
    services,
    databaseUrls: { peer: peer.databaseUrl, gateway: services.environment['DATABASE_URL'] ?? '' },
    start: (name, darajaUrl) =>
      name === 'gateway'
        ? startTheGateway({ ...options, pushesAtOnce: options.pushesAtOnce.gateway, services, darajaUrl })
        : startThePeer({
            ...options,
            pushesAtOnce: options.pushesAtOnce.peer,
            services,
            redis,
            darajaUrl,
            ...peer,
          }),
    stop: async () => {
      await redis.stop()
      await services.stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

const preparePeer = async (services: DeliveryServices, options: Options) => {
  const databaseUrl = await ensureDatabase(services.environment['DATABASE_URL'] ?? '', 'peer')
  const payments = openPayments(databaseUrl, 1)
  await payments.createTables()
  const apiKeys = Array.from({ length: options.partners }, () => `peer_${randomBytes(24).toString('hex')}`)
  for (const key of apiKeys) {
    await payments.addPartner(createHash('sha256').update(key).digest(), randomBytes(24).toString('base64'))
  }
  await payments.close()
  return { databaseUrl, apiKeys }
}

const startThePeer = async (options: {
  services: DeliveryServices
  redis: BenchRedis
  databaseUrl: string
  apiKeys: string[]
  darajaUrl: string
  pushesAtOnce: number
}): Promise<System> => {
  const { services, redis, apiKeys } = options
  const environment = {
    DATABASE_URL: options.databaseUrl,
    REDIS_URL: redis.url,
    DARAJA_BASE_URL: options.darajaUrl,
    SUBMIT_CONCURRENCY: String(options.pushesAtOnce),
  }
  const web = await startPeer('express-bullmq/web', environment)
  const url = web.ready['url'] ?? ''
  const worker = await startPeer('express-bullmq/worker', { ...environment, PUBLIC_URL: url })
  const pids = { web: web.pid, worker: worker.pid, broker: redis.pid }
  return {
    url,
    apiKeys,
    cpu: () => cpuOf(services, pids),
    stop: async () => {
      await worker.stop()
      await web.stop()
    },
  }
}

/** Starts `serve` and `dispatch` as operators do. */
export const startTheGateway = async (
  options: Pick<Options, 'gatewayEnvironment'> & {
    pushesAtOnce: number | null
    services: Omit<DeliveryServices, 'stop'>
    darajaUrl: string
  },
): Promise<System & { pids: { web: number; worker: number } }> => {
  const { services, gatewayEnvironment } = options
  const port = await getPort({ host: '127.0.0.1' })
  const url = `http://127.0.0.1:${port}`
  const serve = await startGateway('serve', {
    ...services.environment,
    HTTP_PORT: String(port),
    GRPC_PORT: '0',
    CONNECT_PORT: '0',
    PUBLIC_URL: url,
    DARAJA_BASE_URL: options.darajaUrl,
    DARAJA_CONSUMER_KEY: 'bench',
    DARAJA_CONSUMER_SECRET: 'bench',
    DARAJA_SHORTCODE: '174379',
    DARAJA_PASSKEY: 'bench',
    ...(options.pushesAtOnce !== null && { SUBMIT_CONCURRENCY: String(options.pushesAtOnce) }),
    ...gatewayEnvironment,
  })
  const dispatch = await startGateway('dispatch', { ...services.environment, ...gatewayEnvironment })
  const pids = { web: serve.pid, worker: dispatch.pid, broker: services.natsPid }
  return {
    pids,
    url,
    apiKeys: services.apiKeys,
    cpu: () => cpuOf(services, pids),
    stop: async () => {
      await serve.stop('SIGTERM')
      await dispatch.stop('SIGTERM')
    },
  }
}

/** Postgres writes its log in processes that serve nobody in particular: they are part of `postgres`. */
const LOG_WRITERS = ['walwriter', 'checkpointer', 'background writer']

const cpuOf = async (
  { postgresPid }: Pick<DeliveryServices, 'postgresPid'>,
  pids: { web: number; worker: number; broker: number | null },
): Promise<Cpu> => {
  const secondsOf = async (pid: number | null) =>
    pid === null ? Number.NaN : ((await cpuSeconds(pid)) ?? Number.NaN)
  const writers = await Promise.all(
    LOG_WRITERS.map((title) => cpuSecondsOfChildren(postgresPid, `postgres: ${title}`)),
  )
  return {
    web: await secondsOf(pids.web),
    worker: await secondsOf(pids.worker),
    postgres: await secondsOf(postgresPid),
    ofItWal: writers.reduce<number>((sum, seconds) => sum + (seconds ?? Number.NaN), 0),
    broker: await secondsOf(pids.broker),
  }
}
