import { BadSettings, type ConfigTree, readConfigTree } from './config.ts'
import { TRACING_TREE, toTracingConfig } from './tracing/tracing-config.ts'

/** The settings of `serve`, under the names that its parts have for them. */
export const SERVE_SETTINGS = {
  database: { url: 'DATABASE_URL', poolSize: 'DATABASE_POOL_SIZE' },
  queue: { natsUrl: 'NATS_URL', stream: 'NATS_STREAM', replicas: 'NATS_STREAM_REPLICAS' },
  http: { host: 'HTTP_HOST', port: 'HTTP_PORT', trustedProxies: 'TRUSTED_PROXIES' },
  grpc: {
    host: 'GRPC_HOST',
    port: 'GRPC_PORT',
    connectPort: 'CONNECT_PORT',
    tlsCert: 'GRPC_TLS_CERT',
    tlsKey: 'GRPC_TLS_KEY',
    tlsClientCa: 'GRPC_TLS_CLIENT_CA',
    allowPlaintext: 'GRPC_ALLOW_PLAINTEXT',
    reflection: 'GRPC_REFLECTION',
    allowedOrigins: 'CONNECT_ALLOWED_ORIGINS',
  },
  /** What each of these servers takes. */
  connections: {
    maxConnections: 'HTTP_MAX_CONNECTIONS',
    maxPerAddress: 'HTTP_MAX_CONNECTIONS_PER_ADDRESS',
    headersTimeoutMs: 'HTTP_HEADERS_TIMEOUT_MS',
    requestTimeoutMs: 'HTTP_REQUEST_TIMEOUT_MS',
    keepAliveMs: 'HTTP_KEEP_ALIVE_MS',
  },
  operations: {
    host: 'OPS_HOST',
    port: 'OPS_PORT',
    overdueAfterMs: 'OPEN_PAYMENT_ALERT_AFTER_MS',
    fourEyes: 'FOUR_EYES',
  },
  /** What tokens and sealed secrets are made with. */
  keys: { secretKey: 'SECRET_KEY', previousSecretKey: 'SECRET_KEY_PREVIOUS' },
  callers: {
    wrongSecretsPerMinute: 'WRONG_KEYS_PER_MINUTE',
    partnerRequestsPerSecond: 'PARTNER_REQUESTS_PER_SECOND',
    testRequestsPerSecond: 'TEST_REQUESTS_PER_SECOND',
  },
  /** Streams of payment events that this process may have open. */
  watchers: { total: 'WATCHERS_MAX', perPartner: 'WATCHERS_PER_PARTNER' },
  callbackUrlPolicy: {
    allowHttp: 'CALLBACK_ALLOW_HTTP',
    allowPrivateNetworks: 'CALLBACK_ALLOW_PRIVATE_NETWORKS',
  },
  payerLimits: { openPrompts: 'PAYER_OPEN_PROMPTS', promptsPerHour: 'PAYER_PROMPTS_PER_HOUR' },
  /** What Daraja calls back. */
  callbacks: {
    publicUrl: 'PUBLIC_URL',
    spoolFolder: 'SPOOL_DIR',
    sources: {
      mode: 'CALLBACK_SOURCES_MODE',
      list: 'CALLBACK_SOURCES',
      strangers: {
        perMinute: 'CALLBACK_STRANGERS_PER_MINUTE',
        bytesPerMinute: 'CALLBACK_STRANGER_BYTES_PER_MINUTE',
        maxBytes: 'CALLBACK_STRANGER_MAX_BYTES',
      },
    },
  },
  daraja: {
    baseUrl: 'DARAJA_BASE_URL',
    timeoutMs: 'DARAJA_TIMEOUT_MS',
    account: {
      consumerKey: 'DARAJA_CONSUMER_KEY',
      consumerSecret: 'DARAJA_CONSUMER_SECRET',
      shortcode: 'DARAJA_SHORTCODE',
      passkey: 'DARAJA_PASSKEY',
      transactionType: 'DARAJA_TRANSACTION_TYPE',
      partyB: 'DARAJA_PARTY_B',
    },
    pushesPerSecond: 'DARAJA_PUSHES_PER_SECOND',
    queriesPerSecond: 'DARAJA_QUERIES_PER_SECOND',
    uniqueReference: 'DARAJA_UNIQUE_REFERENCE',
    pull: { isOn: 'DARAJA_PULL', msisdn: 'DARAJA_PULL_MSISDN' },
  },
  submit: {
    ttlMs: 'SUBMIT_TTL_MS',
    concurrency: 'SUBMIT_CONCURRENCY',
    overloadAfterMs: 'OVERLOAD_AFTER_MS',
  },
  reconcile: { afterMs: 'RECONCILE_AFTER_MS' },
  keepDays: {
    attempts: 'ATTEMPT_RETENTION_DAYS',
    callbacks: 'CALLBACK_RETENTION_DAYS',
    strangers: 'CALLBACK_STRANGER_RETENTION_DAYS',
  },
  deliveries: { scheduleMs: 'DELIVERY_SCHEDULE' },
  signals: { url: 'SIGNAL_URL' },
  /** Of test payments. */
  rehearsal: { delayMs: 'SIMULATOR_CALLBACK_DELAY_MS' },
  logLevel: 'LOG_LEVEL',
  tracing: TRACING_TREE,
} as const

/** What `serve` works with: its settings, and what follows where one is not set. Times in ms. */
export type ServeConfig = ReturnType<typeof readServeConfig>

/** Where operators look when `OPS_PORT` is not set. */
const DEFAULT_OPS_PORT = 8081

/**
 * Reads the settings of `serve`. Throws `BadSettings` for what is missing or wrong, and for what does not go together.
 */
export const readServeConfig = (environment: Record<string, string | undefined>) => {
  const given = readConfigTree(environment, SERVE_SETTINGS)
  const { account, pull, uniqueReference } = given.daraja
  if (pull.isOn && !uniqueReference) {
    throw new BadSettings(
      'DARAJA_PULL needs DARAJA_UNIQUE_REFERENCE on: pulled transactions are matched by it',
    )
  }
  requireHttps(given.callbacks.publicUrl, given.daraja.baseUrl)
  return {
    ...given,
    operations: { ...given.operations, port: given.operations.port ?? DEFAULT_OPS_PORT },
    tracing: toTracingConfig(given.tracing),
    payerLimits: toPayerLimits(given.payerLimits, given.daraja.baseUrl),
    daraja: {
      ...given.daraja,
      account: { ...account, partyB: account.partyB ?? account.shortcode },
      /** Null: the account has no Pull Transactions. */
      pull: pull.isOn ? { msisdn: pull.msisdn } : null,
    },
  }
}

/** Safaricom's Daraja for real money: the sandbox takes http. */
const PRODUCTION_HOST = 'api.safaricom.co.ke'

const requireHttps = (publicUrl: string, darajaUrl: string): void => {
  if (new URL(darajaUrl).hostname !== PRODUCTION_HOST || new URL(publicUrl).protocol === 'https:') return
  throw new BadSettings(
    `PUBLIC_URL must start with https:// where DARAJA_BASE_URL is https://${PRODUCTION_HOST}: Daraja refuses http there`,
  )
}

type PayerLimits = ConfigTree<typeof SERVE_SETTINGS>['payerLimits']

/** What holds for real phones unless the settings say otherwise. */
const FOR_REAL_PHONES: PayerLimits = { openPrompts: 1, promptsPerHour: 10 }

const WITHOUT: PayerLimits = { openPrompts: null, promptsPerHour: null }

/**
 * How often a payer may be asked. Where the account is at Safaricom, real phones are prompted, so payers are protected
 * unless an operator decides otherwise; where a simulator plays the payer, nobody is disturbed.
 */
const toPayerLimits = (given: PayerLimits, darajaUrl: string): PayerLimits => {
  const isReal = new URL(darajaUrl).hostname.endsWith('safaricom.co.ke')
  const unset = isReal ? FOR_REAL_PHONES : WITHOUT
  return {
    openPrompts: toLimit(given.openPrompts, unset.openPrompts),
    promptsPerHour: toLimit(given.promptsPerHour, unset.promptsPerHour),
  }
}

/** 0 is how an operator says: any number. */
const toLimit = (given: number | null, unset: number | null): number | null => {
  if (given === null) return unset
  return given === 0 ? null : given
}
