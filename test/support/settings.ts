import { TEST_SECRET_KEY } from './vault.ts'

/** Settings of processes, by name. */
export type Settings = Record<string, string>

/** Where JetStream is, and the stream of a gateway's own. */
export type StreamPlace = { natsUrl: string; name: string }

/** What `dispatch` needs on this machine; without a stream it takes what is due from Postgres. */
export const dispatchSettings = (places: { databaseUrl: string; stream?: StreamPlace | null }): Settings => ({
  DATABASE_URL: places.databaseUrl,
  DATABASE_POOL_SIZE: '4',
  ...(places.stream && { NATS_URL: places.stream.natsUrl, NATS_STREAM: places.stream.name }),
  OPS_PORT: '0',
  SECRET_KEY: TEST_SECRET_KEY,
  CALLBACK_ALLOW_PRIVATE_NETWORKS: 'on',
})

/** What `serve` needs on this machine, and enough for `dispatch` and the commands: any free port, an account at the simulator. */
export const gatewaySettings = (places: {
  databaseUrl: string
  stream?: StreamPlace | null
  darajaUrl: string
  /** Where Daraja calls back. */
  publicUrl: string
  spoolFolder: string
}): Settings => ({
  ...dispatchSettings(places),
  HTTP_PORT: '0',
  GRPC_PORT: '0',
  CONNECT_PORT: '0',
  PUBLIC_URL: places.publicUrl,
  DARAJA_BASE_URL: places.darajaUrl,
  DARAJA_CONSUMER_KEY: 'key',
  DARAJA_CONSUMER_SECRET: 'secret',
  DARAJA_SHORTCODE: '174379',
  DARAJA_PASSKEY: 'passkey',
  SPOOL_DIR: places.spoolFolder,
  CALLBACK_ALLOW_HTTP: 'on',
})

/** For what is killed and cut off: whatever waits goes on soon. */
export const SHORT_TIMES: Settings = {
  DARAJA_TIMEOUT_MS: '1000',
  // Far below the deadline of the quiet phase: a payer who is locked for good fails when it has passed.
  SUBMIT_TTL_MS: '20000',
  RECONCILE_AFTER_MS: '300',
  DELIVERY_SCHEDULE: `0s${',1s'.repeat(300)}`,
}
