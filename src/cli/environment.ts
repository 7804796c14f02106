import type { SettingName } from '../runtime/settings.ts'

/** The environment of a process, as `process.env` has it. */
export type Environment = Record<string, string | undefined>

/** The settings of `serve`. */
export const SERVE_SETTINGS = [
  'DATABASE_URL',
  'DATABASE_POOL_SIZE',
  'NATS_URL',
  'NATS_STREAM',
  'HTTP_HOST',
  'HTTP_PORT',
  'HTTP_MAX_CONNECTIONS',
  'HTTP_MAX_CONNECTIONS_PER_ADDRESS',
  'HTTP_HEADERS_TIMEOUT_MS',
  'HTTP_REQUEST_TIMEOUT_MS',
  'HTTP_KEEP_ALIVE_MS',
  'GRPC_HOST',
  'GRPC_PORT',
  'CONNECT_PORT',
  'OPS_HOST',
  'OPS_PORT',
  'PUBLIC_URL',
  'SPOOL_DIR',
  'CALLBACK_SOURCES_MODE',
  'CALLBACK_SOURCES',
  'TRUSTED_PROXIES',
  'DARAJA_BASE_URL',
  'DARAJA_CONSUMER_KEY',
  'DARAJA_CONSUMER_SECRET',
  'DARAJA_SHORTCODE',
  'DARAJA_PASSKEY',
  'DARAJA_TRANSACTION_TYPE',
  'DARAJA_PARTY_B',
  'DARAJA_TIMEOUT_MS',
  'WRONG_KEYS_PER_MINUTE',
  'PARTNER_REQUESTS_PER_SECOND',
  'PAYER_OPEN_PROMPTS',
  'PAYER_PROMPTS_PER_HOUR',
  'SECRET_KEY',
  'SECRET_KEY_PREVIOUS',
  'SUBMIT_TTL_MS',
  'SUBMIT_CONCURRENCY',
  'DARAJA_PUSHES_PER_SECOND',
  'RECONCILE_AFTER_MS',
  'DARAJA_QUERIES_PER_SECOND',
  'DARAJA_UNIQUE_REFERENCE',
  'DARAJA_PULL',
  'DARAJA_PULL_MSISDN',
  'OPEN_PAYMENT_ALERT_AFTER_MS',
  'ATTEMPT_RETENTION_DAYS',
  'CALLBACK_RETENTION_DAYS',
  'CALLBACK_ALLOW_HTTP',
  'CALLBACK_ALLOW_PRIVATE_NETWORKS',
  'LOG_LEVEL',
] as const satisfies readonly SettingName[]

/** The settings of `dispatch`. */
export const DISPATCH_SETTINGS = [
  'DATABASE_URL',
  'DATABASE_POOL_SIZE',
  'NATS_URL',
  'NATS_STREAM',
  'OPS_HOST',
  'OPS_PORT',
  'SECRET_KEY',
  'SECRET_KEY_PREVIOUS',
  'DELIVERY_SCHEDULE',
  'DELIVERY_CONCURRENCY',
  'DELIVERY_ENDPOINT_CONCURRENCY',
  'DELIVERY_NAME_SERVERS',
  'CALLBACK_ALLOW_PRIVATE_NETWORKS',
  'LOG_LEVEL',
] as const satisfies readonly SettingName[]

/** True for a process that `npm start` began: it ends when its parent is gone. */
export const hasParent = (environment: Environment): boolean => environment['GATEWAY_WITH_PARENT'] === '1'
