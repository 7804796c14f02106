import { createServer } from 'node:net'
import { readConfig } from '../runtime/config.ts'
import { UserError } from './user-error.ts'

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
 * usual port if it is free, else on any. Throws `BadSettings` for a wrong value, `UserError` for a port that is taken.
 */
export const chooseAddresses = async (environment: Environment): Promise<Addresses> => {
  const config = readConfig(environment, SETTINGS)
  const taken = new Set<number>()
  const choose = async ({ host: hostSetting, setting, usual }: Listener): Promise<Address> => {
    const host = hostSetting === undefined ? '127.0.0.1' : config[hostSetting]
    const named = setting !== undefined && environment[setting] ? config[setting] : null
    if (named !== null && named !== 0 && !(await isPortFree({ host, port: named })))
      throw new UserError(
        `${setting} is ${named}, but another process listens there; name another port or none`,
      )
    const preferred = named === 0 ? undefined : (named ?? usual)
    const port = named || (await freePort({ host, preferred, taken }))
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

/** Listens on the port (0: the system chooses) for an instant; resolves with the port, or null when it is taken. */
const tryPort = (host: string, port: number): Promise<number | null> =>
  new Promise((resolve, reject) => {
    const server = createServer()
    server.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE' || error.code === 'EACCES') resolve(null)
      else reject(error)
    })
    server.listen({ host, port, exclusive: true }, () => {
      const address = server.address()
      server.close(() => resolve(address !== null && typeof address === 'object' ? address.port : null))
    })
  })

/** Whether this process could listen on the TCP port of the host now. */
export const isPortFree = async (options: { host: string; port: number }): Promise<boolean> =>
  (await tryPort(options.host, options.port)) !== null

/**
 * A TCP port that is free now: the preferred one when it is, else one that the system chooses, never one of `taken`. Nothing
 * holds it, so whoever listens on it must still be ready to find it taken.
 */
export const freePort = async (
  options: { host?: string; preferred?: number | undefined; taken?: ReadonlySet<number> } = {},
): Promise<number> => {
  const { host = '127.0.0.1', preferred, taken = new Set() } = options
  if (preferred !== undefined && !taken.has(preferred) && (await isPortFree({ host, port: preferred })))
    return preferred
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const port = await tryPort(host, 0)
    if (port !== null && !taken.has(port)) return port
  }
  throw new UserError(`no free TCP port on ${host}`)
}
