import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { listRecordFiles } from '../../src/core/callback/spool-files.ts'
import { createPartner } from '../../src/core/partners/partner.ts'
import { connectDatabase, type Database } from '../../src/database/connect.ts'
import { killIfThere } from '../../src/local/child-process.ts'
import { createLog } from '../../src/runtime/log.ts'
import { testActor } from '../support/actor.ts'
import { type GatewayProcess, startGatewayProcess } from '../support/gateway-process.ts'
import { openTcpLink, type TcpLink } from '../support/tcp-link.ts'
import { testVault } from '../support/vault.ts'
import { lastingPort } from './lasting-port.ts'
import { type OutsideWorld, startOutsideWorld } from './outside-world.ts'
import { createPartnerClient, type PartnerClient } from './partner-client.ts'
import { LINK_NAMES, type LinkName, PROCESS_NAMES, type ProcessName } from './plan.ts'
import { faultEnvironment } from './processes.ts'
import type { OwnServices } from './services.ts'

/** A whole deployment on a database and a stream of its own, every way between its parts a link that can be cut. */
export type FaultStage = {
  /** Straight to Postgres, whatever the link does. */
  database: Database
  world: OutsideWorld
  client: PartnerClient
  /** Where a partner asks next: one replica is reached through the link, the other straight. */
  httpUrl(): string
  /** The key of the client's partner, and what Daraja's outcomes are told to. */
  apiKey: string
  callbackUrl: string
  links: Record<LinkName, TcpLink>
  /** Starts a process that is down. */
  start(name: ProcessName): Promise<void>
  kill(name: ProcessName): Promise<void>
  /** Stops a process where it stands, and lets it go on. */
  signal(name: ProcessName, signal: 'SIGSTOP' | 'SIGCONT'): void
  /** Files of the spools that are still to be replayed. */
  spooledFiles(): Promise<number>
  /** What the processes have logged of defects, since the beginning: none ends by itself. */
  defects(): string[]
  /** What the processes have logged of an event, line by line. */
  logged(event: string): Record<string, unknown>[]
  /** Processes that ended without being killed here. */
  endedByThemselves(): string[]
  close(): Promise<void>
}

export const startStage = async (options: {
  services: OwnServices
  name: string
  random: () => number
}): Promise<FaultStage> => {
  const { services } = options
  await using opening = new AsyncDisposableStack()
  const databaseUrl = await services.createDatabase(options.name)
  const log = createLog({ name: 'faults', level: 'silent' })
  const database = opening.adopt(
    connectDatabase({ databaseUrl: databaseUrl(services.postgres.port), poolSize: 3, log }),
    (one) => one.destroy(),
  )
  const world = opening.adopt(await startOutsideWorld(options), (one) => one.close())
  const httpPorts = [await lastingPort(), await lastingPort()]
  const links = await openLinks({ services, world, httpPort: httpPorts[0] ?? 0 })
  opening.defer(() => Promise.all(Object.values(links).map((link) => link.close())).then(() => undefined))
  const { apiKey } = await createPartner({
    actor: testActor,
    database,
    name: 'Duka la Wanjiku',
    vault: testVault,
    randomBytes,
  })
  const spoolFolderOf = (name: ProcessName): string => join(services.folder, `${options.name} ${name}`)
  const spooledFiles = async (): Promise<number> => {
    const files = await Promise.all(SERVE_NAMES.map((name) => listRecordFiles(spoolFolderOf(name))))
    return files.flat().length
  }
  const environmentOf = (name: ProcessName): Record<string, string> =>
    faultEnvironment({
      databaseUrl: databaseUrl(links.postgres.port),
      natsUrl: `nats://127.0.0.1:${links.nats.port}`,
      natsStream: options.name,
      darajaUrl: `http://127.0.0.1:${links.daraja.port}`,
      publicPort: links.callbacks.port,
      httpPort: httpPorts[name === 'serve 1' ? 0 : 1] ?? 0,
      spoolFolder: spoolFolderOf(name),
    })
  const processes = keepProcesses(environmentOf)
  opening.defer(() => processes.killAll())
  await Promise.all(PROCESS_NAMES.map((name) => processes.start(name)))
  let asked = 0
  const partner = {
    httpUrl: () => `http://127.0.0.1:${(asked += 1) % 2 === 0 ? links.partner.port : httpPorts[1]}`,
    apiKey,
    callbackUrl: `http://127.0.0.1:${links.endpoint.port}/told`,
  }
  const client = opening.adopt(createPartnerClient(partner), (one) => one.close())
  const opened = opening.move()
  const close = (): Promise<void> => opened.disposeAsync()
  return { ...processes, ...partner, database, world, client, links, spooledFiles, close }
}

const openLinks = async (parts: {
  services: OwnServices
  world: OutsideWorld
  httpPort: number
}): Promise<Record<LinkName, TcpLink>> => {
  const targets: Record<LinkName, number> = {
    partner: parts.httpPort,
    callbacks: parts.httpPort,
    daraja: Number(new URL(parts.world.simulator.url).port),
    endpoint: parts.world.receiver.port,
    postgres: parts.services.postgres.port,
    nats: parts.services.nats.port,
  }
  const open = async (name: LinkName): Promise<[LinkName, TcpLink]> => [
    name,
    await openTcpLink(targets[name]),
  ]
  return Object.fromEntries(await Promise.all(LINK_NAMES.map(open))) as Record<LinkName, TcpLink>
}

/** The processes that keep callbacks, each in a folder of its own. */
const SERVE_NAMES = PROCESS_NAMES.filter((name) => name.startsWith('serve'))

/** How long it waits before it starts a process again that could not start, ms. */
const RETRY_MS = 50

const keepProcesses = (environmentOf: (name: ProcessName) => Record<string, string>) => {
  const running = new Map<ProcessName, GatewayProcess>()
  const wanted = new Set<ProcessName>()
  const starting = new Map<ProcessName, Promise<void>>()
  const logs: (() => string)[] = []
  const ended: string[] = []

  const bringUp = async (name: ProcessName): Promise<void> => {
    while (wanted.has(name)) {
      const command = name.startsWith('serve') ? 'serve' : 'dispatch'
      const process = await startGatewayProcess(command, environmentOf(name)).catch(() => null)
      // Whoever keeps processes alive starts one again that gave up waiting for Postgres.
      if (process === null) await pause(RETRY_MS)
      else {
        logs.push(() => process.log())
        running.set(name, process)
        void process.ended.then((how) => {
          if (running.get(name) === process) ended.push(`${name} ended with ${how}`)
        })
        return
      }
    }
  }
  const start = (name: ProcessName): Promise<void> => {
    wanted.add(name)
    if (running.has(name)) return Promise.resolve()
    const known = starting.get(name) ?? bringUp(name).finally(() => starting.delete(name))
    starting.set(name, known)
    return known
  }
  const kill = async (name: ProcessName): Promise<void> => {
    wanted.delete(name)
    await starting.get(name)
    const process = running.get(name)
    running.delete(name)
    await process?.end('SIGKILL')
  }
  return {
    start,
    kill,
    signal: (name: ProcessName, signal: 'SIGSTOP' | 'SIGCONT'): void => {
      const process = running.get(name)
      if (process !== undefined) killIfThere(process.pid, signal)
    },
    endedByThemselves: () => ended,
    logged: (event: string): Record<string, unknown>[] =>
      logs
        .flatMap((log) => log().split('\n'))
        .filter((line) => line.includes(`"event":"${event}"`))
        .map((line) => JSON.parse(line) as Record<string, unknown>),
    defects: () => logs.flatMap((log) => log().split('\n').flatMap(defectIn)),
    killAll: () => Promise.all(PROCESS_NAMES.map(kill)).then(() => undefined),
  }
}

const defectIn = (line: string): string[] => {
  if (!line.includes('"level":"fatal"')) return []
  const { name, err } = JSON.parse(line) as { name: string; err?: { message: string } }
  return [`a defect ended ${name}: ${err?.message}`]
}
