import { readConfigTree } from './config.ts'

/** The settings of `console`, under the names that its parts have for them. */
export const CONSOLE_SETTINGS = {
  database: { url: 'DATABASE_URL' },
  listen: { host: 'CONSOLE_HOST', port: 'CONSOLE_PORT' },
  url: 'CONSOLE_URL',
  trustedProxies: 'TRUSTED_PROXIES',
  keys: { secretKey: 'SECRET_KEY', previousSecretKey: 'SECRET_KEY_PREVIOUS' },
  /** To check an account that was entered. */
  daraja: { baseUrl: 'DARAJA_BASE_URL', timeoutMs: 'DARAJA_TIMEOUT_MS' },
  operations: {
    host: 'OPS_HOST',
    port: 'OPS_PORT',
    overdueAfterMs: 'OPEN_PAYMENT_ALERT_AFTER_MS',
    fourEyes: 'FOUR_EYES',
  },
  /** Where test callbacks may go. */
  callbacks: {
    allowHttp: 'CALLBACK_ALLOW_HTTP',
    allowPrivateNetworks: 'CALLBACK_ALLOW_PRIVATE_NETWORKS',
    nameServers: 'DELIVERY_NAME_SERVERS',
  },
  /** The spool of this machine, which is looked through when a payer is erased. */
  spoolFolder: 'SPOOL_DIR',
  logLevel: 'LOG_LEVEL',
} as const

/** What `console` works with. Times in ms. */
export type ConsoleConfig = ReturnType<typeof readConsoleConfig>

/** Where operators look when `OPS_PORT` is not set. */
const DEFAULT_OPS_PORT = 8084

/** Reads the settings of `console`. Throws `BadSettings` for what is missing or wrong. */
export const readConsoleConfig = (environment: Record<string, string | undefined>) => {
  const given = readConfigTree(environment, CONSOLE_SETTINGS)
  return { ...given, operations: { ...given.operations, port: given.operations.port ?? DEFAULT_OPS_PORT } }
}
