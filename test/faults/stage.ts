import { join } from 'node:path'
import { listRecordFiles } from '../../src/core/callback/spool-files.ts'
import { connectDatabase, type Database } from '../../src/database/connect.ts'
import { startGatewayProcess } from '../support/gateway-process.ts'
import { type KeptProcesses, keepProcesses } from '../support/kept-processes.ts'
import { type OutsideWorld, startOutsideWorld } from '../support/outside-world.ts'
import { addPartner } from '../support/partner.ts'
import { lastingPort } from '../support/ports.ts'
import { quietLog } from '../support/quiet-log.ts'
import { gatewaySettings, type Settings, SHORT_TIMES } from '../support/settings.ts'
import { openTcpLink, type TcpLink } from '../support/tcp-link.ts'
import { createPartnerClient, type PartnerClient } from './partner-client.ts'
import { LINK_NAMES, type LinkName, PROCESS_NAMES, type ProcessName } from './plan.ts'
import type { OwnServices } from './services.ts'

/** A whole deployment on a database and a stream of its own, every way between its parts a link that can be cut. */
export type FaultStage = Pick<KeptProcesses<ProcessName>, 'start' | 'kill' | 'signal' | 'wrongEnds'> & {
  /** Straight to Postgres, whatever the link does. */
  database: Database
  world: OutsideWorld
  client: PartnerClient
  /** Where a partner asks next: one replica is reached through the link, the other straight. */
  httpUrl(): string
  /** The key of the client's partner, and where its outcomes are delivered. */
  apiKey: string
  callbackUrl: string
  links: Record<LinkName, TcpLink>
  /** Files of the spools that are still to be replayed. */
  spooledFiles(): Promise<number>
  /** What the processes have logged of defects, since the beginning: none ends by itself. */
  defects(): string[]
  /** What the processes have logged of an event, line by line. */
  logged(event: string): Record<string, unknown>[]
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
  const database = opening.adopt(
    connectDatabase({ databaseUrl: databaseUrl(services.postgres.port), poolSize: 3, log: quietLog }),
    (one) => one.destroy(),
  )
  const world = opening.adopt(await startOutsideWorld(options), (one) => one.close())
  const httpPorts = [await lastingPort(), await lastingPort()]
  const links = await openLinks({ services, world, httpPort: httpPorts[0] ?? 0 })
  opening.defer(() => Promise.all(Object.values(links).map((link) => link.close())).then(() => undefined))
  const { apiKey } = await addPartner(database)
  const spoolFolderOf = (name: ProcessName): string => join(services.folder, `${options.name} ${name}`)
  const spooledFiles = async (): Promise<number> => {
    const files = await Promise.all(SERVE_NAMES.map((name) => listRecordFiles(spoolFolderOf(name))))
    return files.flat().length
  }
  const settingsOf = (name: ProcessName): Settings => ({
    ...gatewaySettings({
      databaseUrl: databaseUrl(links.postgres.port),
      stream: { natsUrl: `nats://127.0.0.1:${links.nats.port}`, name: options.name },
      darajaUrl: `http://127.0.0.1:${links.daraja.port}`,
      publicUrl: `http://127.0.0.1:${links.callbacks.port}`,
      spoolFolder: spoolFolderOf(name),
    }),
    ...SHORT_TIMES,
    HTTP_PORT: String(httpPorts[name === 'serve 1' ? 0 : 1] ?? 0),
  })
  const processes = keepProcesses<ProcessName>({
    start: (name) => startGatewayProcess(name.startsWith('serve') ? 'serve' : 'dispatch', settingsOf(name)),
    isRetried: true,
  })
  opening.defer(() => processes.killAll())
  await Promise.all(PROCESS_NAMES.map((name) => processes.start(name)))
  let asked = 0
  const partner = {
    httpUrl: () => `http://127.0.0.1:${(asked += 1) % 2 === 0 ? links.partner.port : httpPorts[1]}`,
    apiKey,
    callbackUrl: `http://127.0.0.1:${links.endpoint.port}/outcome`,
  }
  const client = opening.adopt(createPartnerClient(partner), (one) => one.close())
  const opened = opening.move()
  const close = (): Promise<void> => opened.disposeAsync()
  const logged = (event: string): Record<string, unknown>[] =>
    processes
      .logLines()
      .filter((line) => line.includes(`"event":"${event}"`))
      .map((line) => JSON.parse(line) as Record<string, unknown>)
  const defects = (): string[] => processes.logLines().flatMap(defectIn)
  return { ...processes, ...partner, database, world, client, links, spooledFiles, logged, defects, close }
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

const defectIn = (line: string): string[] => {
  if (!line.includes('"level":"fatal"')) return []
  const { name, err } = JSON.parse(line) as { name: string; err?: { message: string } }
  return [`a defect ended ${name}: ${err?.message}`]
}
