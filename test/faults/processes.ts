import { type GatewayProcess, startGatewayProcess } from '../support/gateway-process.ts'
import { TEST_SECRET_KEY } from '../support/vault.ts'

/** The environment of processes whose times are short, for one machine. */
export const faultEnvironment = (options: {
  databaseUrl: string
  natsUrl: string
  natsStream: string
  darajaUrl: string
  /** Where `serve` listens, and what Daraja calls: the same port, unless something is between. */
  httpPort: number
  publicPort: number
  spoolFolder: string
}): Record<string, string> => ({
  DATABASE_URL: options.databaseUrl,
  DATABASE_POOL_SIZE: '4',
  NATS_URL: options.natsUrl,
  NATS_STREAM: options.natsStream,
  HTTP_PORT: String(options.httpPort),
  GRPC_PORT: '0',
  CONNECT_PORT: '0',
  OPS_PORT: '0',
  PUBLIC_URL: `http://127.0.0.1:${options.publicPort}`,
  DARAJA_BASE_URL: options.darajaUrl,
  DARAJA_CONSUMER_KEY: 'key',
  DARAJA_CONSUMER_SECRET: 'secret',
  DARAJA_SHORTCODE: '174379',
  DARAJA_PASSKEY: 'passkey',
  DARAJA_TIMEOUT_MS: '1000',
  SECRET_KEY: TEST_SECRET_KEY,
  SPOOL_DIR: options.spoolFolder,
  // Far below the deadline of the quiet phase: a payer who is locked for good fails when it has passed.
  SUBMIT_TTL_MS: '20000',
  RECONCILE_AFTER_MS: '300',
  DELIVERY_SCHEDULE: `0s${',1s'.repeat(300)}`,
  CALLBACK_ALLOW_HTTP: 'on',
  CALLBACK_ALLOW_PRIVATE_NETWORKS: 'on',
})

/** A process that may die of what is armed in it, even before it is ready. */
export type Mortal = {
  /** Resolves when it is ready, or dead before. */
  started: Promise<GatewayProcess | null>
  /** Resolves with what ended it: an exit code or a signal. */
  ended: Promise<number | string | null>
}

/** Starts a process that is killed at a crash point; `path` as `armCrashPoint` takes it. */
export const startMortal = (
  command: 'serve' | 'dispatch',
  environment: Record<string, string>,
  path: string,
): Mortal => {
  const starting = startGatewayProcess(command, { ...environment, CRASH_AT: path })
  const started = starting.catch((error: unknown) => {
    if (error instanceof Error && error.message.startsWith('ended with SIGKILL')) return null
    throw error
  })
  const ended = started.then((process) => process?.ended ?? 'SIGKILL')
  ended.catch(() => undefined)
  return { started, ended }
}
