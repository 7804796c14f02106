import { type Config, readConfig } from '../runtime/config.ts'
import { freePort, isPortFree } from './free-port.ts'
import { LocalProblem } from './problem.ts'

type Environment = Record<string, string | undefined>

/** A host and a TCP port on it. */
export type Address = { readonly host: string; readonly port: number }

const SETTINGS = [
  'HTTP_HOST',
  'HTTP_PORT',
  'GRPC_HOST',
  'GRPC_PORT',
  'CONNECT_PORT',
  'OPS_HOST',
  'OPS_PORT',
  'SIMULATOR_HOST',
  'SIMULATOR_PORT',
] as const

type PortSetting = Extract<(typeof SETTINGS)[number], `${string}_PORT`>
type HostSetting = Extract<(typeof SETTINGS)[number], `${string}_HOST`>

/** What listens: the settings that name its host and its port, if there are any, and its usual port. */
type Listener = { host?: HostSetting; setting?: PortSetting; usual: number }

const LISTENERS = {
  http: { host: 'HTTP_HOST', setting: 'HTTP_PORT', usual: 8080 },
  grpc: { host: 'GRPC_HOST', setting: 'GRPC_PORT', usual: 9090 },
  connect: { host: 'GRPC_HOST', setting: 'CONNECT_PORT', usual: 9080 },
  ops: { host: 'OPS_HOST', setting: 'OPS_PORT', usual: 8081 },
  dispatcherOps: { host: 'OPS_HOST', usual: 8082 },
  simulator: { host: 'SIMULATOR_HOST', setting: 'SIMULATOR_PORT', usual: 8090 },
  receiver: { usual: 8091 },
} as const satisfies Record<string, Listener>

/** Where each part listens. */
export type Addresses = Record<keyof typeof LISTENERS, Address>

/** The http URL at which this machine reaches an address. */
export const urlOf = ({ host, port }: Address): string => {
  const reachable = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host
  return `http://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`
}

/**
 * Where everything will listen: on the port that a setting names, which must be free (0 stands for any); without one on the
 * usual port if it is free, else on any. Throws `BadSettings` for a wrong value, `LocalProblem` for a port that is taken.
 */
export const chooseAddresses = async (environment: Environment): Promise<Addresses> => {
  const config = readConfig(environment, SETTINGS)
  const taken = new Set<number>()
  const choose = async (listener: Listener): Promise<Address> => {
    const host = listener.host === undefined ? '127.0.0.1' : config[listener.host]
    const port =
      (await namedPort({ listener, host, environment, config })) ?? (await freePort({ host, taken }))
    taken.add(port)
    return { host, port }
  }
  return {
    http: await choose(LISTENERS.http),
    grpc: await choose(LISTENERS.grpc),
    connect: await choose(LISTENERS.connect),
    ops: await choose(LISTENERS.ops),
    dispatcherOps: await choose(LISTENERS.dispatcherOps),
    simulator: await choose(LISTENERS.simulator),
    receiver: await choose(LISTENERS.receiver),
  }
}

/** The port that the environment names for the listener, else its usual one if free; null: any will do. */
const namedPort = async (options: {
  listener: Listener
  host: string
  environment: Environment
  config: Config<(typeof SETTINGS)[number]>
}): Promise<number | null> => {
  const { listener, host, environment, config } = options
  const { setting, usual } = listener
  if (setting === undefined || !environment[setting])
    return (await isPortFree({ host, port: usual })) ? usual : null
  const port = config[setting]
  if (port === null || port === 0) return null
  if (await isPortFree({ host, port })) return port
  throw new LocalProblem(
    `${setting} is ${port}, but another process listens there; name another port or none`,
  )
}
