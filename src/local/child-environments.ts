import { join, resolve } from 'node:path'
import { type Addresses, urlOf } from './ports.ts'

type Environment = Record<string, string | undefined>

/** The sandbox account that Safaricom publishes for everybody; the simulator takes any. */
const SANDBOX = {
  DARAJA_SHORTCODE: '174379',
  DARAJA_PASSKEY: 'bfb279f9aa9bdbcf158e97dd71a467cd2e0c893059b10f78e6b72ada1ed2c919',
}

/** What the simulator takes as the key and secret of an app: it knows no accounts. */
const SIMULATOR_CREDENTIALS = {
  DARAJA_CONSUMER_KEY: 'simulator',
  DARAJA_CONSUMER_SECRET: 'simulator',
}

/** What the processes are given beside what the environment of `npm start` already says, which goes first. */
export type Given = {
  environment: Environment
  dataDir: string
  addresses: Addresses
  databaseUrl: string
  natsUrl: string | null
  secretKey: string
}

/** Where `serve` keeps callbacks while Postgres is away. */
export const spoolFolderOf = ({ environment, dataDir }: Given): string =>
  resolve(environment['SPOOL_DIR'] || join(dataDir, 'spool'))

/** Lays what is set, and not empty, over the defaults. */
const withDefaults = (defaults: Environment, environment: Environment): Environment => ({
  ...defaults,
  ...Object.fromEntries(
    Object.entries(environment).filter(([, value]) => value !== undefined && value !== ''),
  ),
})

/** What `serve` and `dispatch` share. */
const gatewayEnvironment = (given: Given): Environment => {
  const { environment, addresses } = given
  const defaults = {
    ...SANDBOX,
    ...(!environment['DARAJA_BASE_URL'] && {
      ...SIMULATOR_CREDENTIALS,
      DARAJA_BASE_URL: urlOf(addresses.simulator),
    }),
    PUBLIC_URL: urlOf(addresses.http),
    SPOOL_DIR: spoolFolderOf(given),
    CALLBACK_ALLOW_HTTP: '1',
    CALLBACK_ALLOW_PRIVATE_NETWORKS: '1',
  }
  return {
    ...withDefaults(defaults, environment),
    DATABASE_URL: given.databaseUrl,
    NATS_URL: given.natsUrl ?? '',
    SECRET_KEY: given.secretKey,
  }
}

export const serveEnvironment = (given: Given): Environment => ({
  ...gatewayEnvironment(given),
  HTTP_PORT: String(given.addresses.http.port),
  GRPC_PORT: String(given.addresses.grpc.port),
  CONNECT_PORT: String(given.addresses.connect.port),
  OPS_PORT: String(given.addresses.ops.port),
})

export const dispatchEnvironment = (given: Given): Environment => ({
  ...gatewayEnvironment(given),
  OPS_PORT: String(given.addresses.dispatcherOps.port),
})

export const simulatorEnvironment = (given: Given): Environment => ({
  ...withDefaults({ SIMULATOR_CALLBACK_DELAY_MS: '1000' }, given.environment),
  SIMULATOR_PORT: String(given.addresses.simulator.port),
})
