import { BadSettings, type ConfigTree, readConfigTree } from './config.ts'
import { TRACING_TREE, toTracingConfig } from './tracing/tracing-config.ts'

/** The settings of `dispatch`, under the names that its parts have for them. */
export const DISPATCH_SETTINGS = {
  database: { url: 'DATABASE_URL', poolSize: 'DATABASE_POOL_SIZE' },
  queue: { natsUrl: 'NATS_URL', stream: 'NATS_STREAM', replicas: 'NATS_STREAM_REPLICAS' },
  operations: { host: 'OPS_HOST', port: 'OPS_PORT' },
  /** What sealed secrets are opened with. */
  keys: { secretKey: 'SECRET_KEY', previousSecretKey: 'SECRET_KEY_PREVIOUS' },
  deliveries: {
    scheduleMs: 'DELIVERY_SCHEDULE',
    concurrency: 'DELIVERY_CONCURRENCY',
    endpointConcurrency: 'DELIVERY_ENDPOINT_CONCURRENCY',
    nameServers: 'DELIVERY_NAME_SERVERS',
    allowPrivateNetworks: 'CALLBACK_ALLOW_PRIVATE_NETWORKS',
  },
  signals: { url: 'SIGNAL_URL', secrets: 'SIGNAL_SECRET' },
  logLevel: 'LOG_LEVEL',
  tracing: TRACING_TREE,
} as const

/** What `dispatch` works with: its settings, and what follows where one is not set. Times in ms. */
export type DispatchConfig = ReturnType<typeof readDispatchConfig>

/** Where operators look when `OPS_PORT` is not set. */
const DEFAULT_OPS_PORT = 8082

/** Reads the settings of `dispatch`. Throws `BadSettings` for what is missing or wrong. */
export const readDispatchConfig = (environment: Record<string, string | undefined>) => {
  const given = readConfigTree(environment, DISPATCH_SETTINGS)
  return {
    ...given,
    tracing: toTracingConfig(given.tracing),
    signals: toSink(given.signals),
    operations: { ...given.operations, port: given.operations.port ?? DEFAULT_OPS_PORT },
  }
}

/** Where signals go, and what signs them; null: nowhere. */
const toSink = ({ url, secrets }: ConfigTree<typeof DISPATCH_SETTINGS>['signals']) => {
  if (url === null && secrets === null) return null
  if (url === null) throw new BadSettings('SIGNAL_SECRET needs SIGNAL_URL: where signals are POSTed')
  if (secrets === null) throw new BadSettings('SIGNAL_URL needs SIGNAL_SECRET: signals are signed with it')
  return { url, secrets }
}
