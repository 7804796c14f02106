import { join, resolve } from 'node:path'
import getPort from 'get-port'
import { isPublicSetting, readConfig } from '../runtime/config.ts'
import { urlHere } from '../runtime/listen.ts'
import { UserError } from './child-process.ts'

type Environment = Record<string, string | undefined>

/** A host and a TCP port on it. */
type Address = { readonly host: string; readonly port: number }

/** What listens: the settings that name its host and its port, if there are any, and its usual port. */
const LISTENERS = {
  http: { host: 'HTTP_HOST', setting: 'HTTP_PORT', usual: 8080 },
  grpc: { host: 'GRPC_HOST', setting: 'GRPC_PORT', usual: 9090 },
  connect: { host: 'GRPC_HOST', setting: 'CONNECT_PORT', usual: 9080 },
  ops: { host: 'OPS_HOST', setting: 'OPS_PORT', usual: 8081 },
  dispatcherOps: { host: 'OPS_HOST', setting: null, usual: 8082 },
  console: { host: 'CONSOLE_HOST', setting: 'CONSOLE_PORT', usual: 8083 },
  consoleOps: { host: 'OPS_HOST', setting: null, usual: 8084 },
  simulator: { host: 'SIMULATOR_HOST', setting: 'SIMULATOR_PORT', usual: 8090 },
  receiver: { host: null, setting: null, usual: 8091 },
} as const

type Listener = (typeof LISTENERS)[keyof typeof LISTENERS]

const SETTINGS = Object.values<Listener>(LISTENERS)
  .flatMap(({ host, setting }) => [host, setting])
  .filter((name) => name !== null)

/** Where each part listens. */
export type Addresses = Record<keyof typeof LISTENERS, Address>

/** The http URL at which this machine reaches an address. */
export const urlOf = ({ host, port }: Address): string => urlHere(host, port)

/**
 * Where everything will listen: on the port that a setting names, which must be free (0 stands for any); without one on
 * the usual port if it is free, else on any. Throws `BadSettings` for a wrong value, `UserError` for a port that is
 * taken.
 */
export const chooseAddresses = async (environment: Environment): Promise<Addresses> => {
  const config = readConfig(environment, SETTINGS)
  const choose = async ({ host: hostSetting, setting, usual }: Listener): Promise<Address> => {
    const host = hostSetting === null ? '127.0.0.1' : config[hostSetting]
    const named = setting !== null && environment[setting] ? config[setting] : null
    // The usual port, or another when it is taken; never one that was chosen before.
    const port = await getPort({ host, port: named ?? usual })
    if (named !== null && named !== 0 && port !== named)
      throw new UserError(
        `${setting} is ${named}, but another process listens there; name another port or none`,
      )
    return { host, port }
  }
  return {
    http: await choose(LISTENERS.http),
    grpc: await choose(LISTENERS.grpc),
    connect: await choose(LISTENERS.connect),
    ops: await choose(LISTENERS.ops),
    dispatcherOps: await choose(LISTENERS.dispatcherOps),
    console: await choose(LISTENERS.console),
    consoleOps: await choose(LISTENERS.consoleOps),
    simulator: await choose(LISTENERS.simulator),
    receiver: await choose(LISTENERS.receiver),
  }
}

/** The sandbox account that Safaricom publishes for everybody; the simulator takes any. */
const SANDBOX = {
  DARAJA_SHORTCODE: '174379',
  DARAJA_PASSKEY: 'bfb279f9aa9bdbcf158e97dd71a467cd2e0c893059b10f78e6b72ada1ed2c919',
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

export const isSimulated = ({ environment }: Setup): boolean => !environment['DARAJA_BASE_URL']

/** The environment, in which what is not set, or empty, has a default. */
const withDefaults = (environment: Environment, defaults: Environment): Environment => ({
  ...environment,
  ...Object.fromEntries(Object.entries(defaults).filter(([name]) => !environment[name])),
})

/** What `serve`, `dispatch` and `console` share. */
const gatewayEnvironment = (setup: Setup): Environment => {
  const defaults = {
    ...SANDBOX,
    // The simulator knows no accounts: it takes any key and secret of an app.
    ...(isSimulated(setup) && {
      DARAJA_CONSUMER_KEY: 'simulator',
      DARAJA_CONSUMER_SECRET: 'simulator',
      DARAJA_BASE_URL: urlOf(setup.addresses.simulator),
    }),
    PUBLIC_URL: urlOf(setup.addresses.http),
    CONSOLE_URL: urlOf(setup.addresses.console),
    SPOOL_DIR: spoolFolderOf(setup),
    CALLBACK_ALLOW_HTTP: '1',
    GRPC_REFLECTION: '1',
    CALLBACK_ALLOW_PRIVATE_NETWORKS: '1',
  }
  return {
    ...withDefaults(setup.environment, defaults),
    DATABASE_URL: setup.databaseUrl,
    NATS_URL: setup.natsUrl ?? '',
    SECRET_KEY: setup.secretKey,
  }
}

/** Their settings that are no secrets. */
export const publicSettingsOf = (setup: Setup): Record<string, string> =>
  Object.fromEntries(
    Object.entries(gatewayEnvironment(setup)).flatMap(([name, value]) =>
      value && isPublicSetting(name) ? [[name, value]] : [],
    ),
  )

export const serveEnvironment = (setup: Setup): Environment => ({
  ...gatewayEnvironment(setup),
  HTTP_PORT: String(setup.addresses.http.port),
  GRPC_PORT: String(setup.addresses.grpc.port),
  CONNECT_PORT: String(setup.addresses.connect.port),
  OPS_PORT: String(setup.addresses.ops.port),
})

/** Its links lead to where it really listens, unless the environment says by which address browsers come. */
export const consoleEnvironment = (setup: Setup): Environment => ({
  ...gatewayEnvironment(setup),
  CONSOLE_PORT: String(setup.addresses.console.port),
  OPS_PORT: String(setup.addresses.consoleOps.port),
})

export const dispatchEnvironment = (setup: Setup): Environment => ({
  ...gatewayEnvironment(setup),
  OPS_PORT: String(setup.addresses.dispatcherOps.port),
})

export const simulatorEnvironment = (setup: Setup): Environment => ({
  ...withDefaults(setup.environment, { SIMULATOR_CALLBACK_DELAY_MS: '1000' }),
  SIMULATOR_PORT: String(setup.addresses.simulator.port),
})
