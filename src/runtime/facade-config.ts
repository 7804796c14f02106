import { readConfigTree } from './config.ts'
import { TRACING_TREE, toTracingConfig } from './tracing/tracing-config.ts'

/** The settings of `serve --facade-only`, under the names that its parts have for them. */
export const FACADE_SETTINGS = {
  http: { host: 'HTTP_HOST', port: 'HTTP_PORT', trustedProxies: 'TRUSTED_PROXIES' },
  connections: {
    maxConnections: 'HTTP_MAX_CONNECTIONS',
    maxPerAddress: 'HTTP_MAX_CONNECTIONS_PER_ADDRESS',
    headersTimeoutMs: 'HTTP_HEADERS_TIMEOUT_MS',
    requestTimeoutMs: 'HTTP_REQUEST_TIMEOUT_MS',
    keepAliveMs: 'HTTP_KEEP_ALIVE_MS',
  },
  operations: { host: 'OPS_HOST', port: 'OPS_PORT' },
  /** What the pages for partners say. */
  documents: { publicUrl: 'PUBLIC_URL', deliveryScheduleMs: 'DELIVERY_SCHEDULE' },
  core: {
    urls: 'CORE_URL',
    token: 'CORE_TOKEN',
    tlsCa: 'CORE_TLS_CA',
    tlsCert: 'CORE_TLS_CERT',
    tlsKey: 'CORE_TLS_KEY',
    allowPlaintext: 'GRPC_ALLOW_PLAINTEXT',
  },
  tracing: TRACING_TREE,
  logLevel: 'LOG_LEVEL',
} as const

/** What `serve --facade-only` works with. Times in ms. */
export type FacadeConfig = ReturnType<typeof readFacadeConfig>

/** Where operators look when `OPS_PORT` is not set. */
const DEFAULT_OPS_PORT = 8081

/** Reads the settings of `serve --facade-only`. Throws `BadSettings` for what is missing or wrong. */
export const readFacadeConfig = (environment: Record<string, string | undefined>) => {
  const given = readConfigTree(environment, FACADE_SETTINGS)
  return {
    ...given,
    operations: { ...given.operations, port: given.operations.port ?? DEFAULT_OPS_PORT },
    tracing: toTracingConfig(given.tracing),
  }
}
