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

/** What the processes need beside what the environment of `npm start` already says, which goes first. */
export type Setup = {
  environment: Environment
  dataDir: string
  addresses: Addresses
  databaseUrl: string
  natsUrl: string | null
  secretKey: string
}

/** Where `serve` keeps callbacks while Postgres is away. */
export const spoolFolderOf = ({ environment, dataDir }: Setup): string =>
  resolve(environment['SPOOL_DIR'] || join(dataDir, 'spool'))

/** Lays what is set, and not empty, over the defaults. */
const withDefaults = (defaults: Environment, environment: Environment): Environment => ({
  ...defaults,
  ...Object.fromEntries(
    Object.entries(environment).filter(([, value]) => value !== undefined && value !== ''),
  ),
})

export const isSimulated = ({ environment }: Setup): boolean => !environment['DARAJA_BASE_URL']

/** What `serve` and `dispatch` share. */
const gatewayEnvironment = (setup: Setup): Environment => {
  const { environment, addresses } = setup
  const defaults = {
    ...SANDBOX,
    ...(isSimulated(setup) && {
      ...SIMULATOR_CREDENTIALS,
      DARAJA_BASE_URL: urlOf(addresses.simulator),
    }),
    PUBLIC_URL: urlOf(addresses.http),
    SPOOL_DIR: spoolFolderOf(setup),
    CALLBACK_ALLOW_HTTP: '1',
    CALLBACK_ALLOW_PRIVATE_NETWORKS: '1',
  }
  return {
    ...withDefaults(defaults, environment),
    DATABASE_URL: setup.databaseUrl,
    NATS_URL: setup.natsUrl ?? '',
    SECRET_KEY: setup.secretKey,
  }
}

export const serveEnvironment = (setup: Setup): Environment => ({
  ...gatewayEnvironment(setup),
  HTTP_PORT: String(setup.addresses.http.port),
  GRPC_PORT: String(setup.addresses.grpc.port),
  CONNECT_PORT: String(setup.addresses.connect.port),
  OPS_PORT: String(setup.addresses.ops.port),
})

export const dispatchEnvironment = (setup: Setup): Environment => ({
  ...gatewayEnvironment(setup),
  OPS_PORT: String(setup.addresses.dispatcherOps.port),
})

export const simulatorEnvironment = (setup: Setup): Environment => ({
  ...withDefaults({ SIMULATOR_CALLBACK_DELAY_MS: '1000' }, setup.environment),
  SIMULATOR_PORT: String(setup.addresses.simulator.port),
})
