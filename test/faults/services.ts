import { cp, mkdtemp, readdir, rm, stat, truncate } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { migrateToLatest } from '../../src/database/migrate.ts'
import { killIfThere } from '../../src/local/child-process.ts'
import type { LocalServer } from '../../src/local/local-server.ts'
import { findNatsServer, searchPathOf, startNatsServer } from '../../src/local/nats-server.ts'
import { startEmbeddedPostgres } from '../../src/local/postgres.ts'
import { createLog } from '../../src/runtime/log.ts'
import { onDatabase, runStatement } from '../support/test-run.ts'
import { lastingPort } from './lasting-port.ts'

/** A server of the run's own that is ended and started again, on the same port with the same data. */
export type OwnServer = {
  port: number
  /** Ends it, in order (`stop`) or by SIGKILL; nothing when it is down. */
  end(how: 'stop' | 'kill'): Promise<void>
  /** Starts it; nothing when it is up. */
  start(): Promise<void>
}

export type OwnServices = {
  /** For files that processes keep; gone after `close`. */
  folder: string
  postgres: OwnServer
  /** Where Postgres has its files, as `startEmbeddedPostgres` was told, and the URL of its administrator. */
  postgresFolder: string
  postgresUrl: string
  /** The URL of a new, migrated database; `port` leads to Postgres. */
  createDatabase(name: string): Promise<(port: number) => string>
  nats: OwnServer & {
    /** Keeps a copy of what JetStream has stored; the server should be down. */
    keepCopy(): Promise<void>
    /** Puts the kept copy in its place. */
    restoreCopy(): Promise<void>
    /** Cuts every block of messages in half, as a disk that lost its last writes. */
    truncateBlocks(): Promise<void>
    forget(): Promise<void>
  }
  close(): Promise<void>
}

const TEMPLATE = 'gateway_template'

/** Where the suite keeps a nats-server that it had to fetch. */
const BIN_FOLDER = join(import.meta.dirname, '..', '..', '.data', 'bin')

const say = (): void => undefined

/** Starts Postgres and NATS in a temporary folder, with a migrated template database. */
export const startOwnServices = async (): Promise<OwnServices> => {
  const folder = await mkdtemp(join(tmpdir(), 'faults-'))
  const postgresPort = await lastingPort()
  const natsPort = await lastingPort()
  const program = await findNatsServer({ binFolder: BIN_FOLDER, searchPath: searchPathOf(process.env), say })
  const postgres = await ownServer(postgresPort, (port) =>
    startEmbeddedPostgres({ dataFolder: join(folder, 'postgres'), port, say }),
  )
  const nats = await ownServer(natsPort, (port) =>
    startNatsServer({ program, dataFolder: join(folder, 'nats'), port, say }),
  )
  const template = onDatabase(postgres.url, TEMPLATE)
  await runStatement(postgres.url, `CREATE DATABASE ${TEMPLATE}`)
  await migrateToLatest({ databaseUrl: template, log: createLog({ name: 'faults', level: 'warn' }) })
  return {
    folder,
    postgres,
    postgresFolder: join(folder, 'postgres'),
    postgresUrl: postgres.url,
    createDatabase: async (name) => {
      await runStatement(postgres.url, `CREATE DATABASE ${name} TEMPLATE ${TEMPLATE}`)
      return (port) => Object.assign(new URL(onDatabase(postgres.url, name)), { port: String(port) }).href
    },
    nats: { ...nats, ...storeOf(join(folder, 'nats', 'jetstream'), join(folder, 'kept')) },
    close: async () => {
      await nats.end('stop')
      await postgres.end('stop')
      await rm(folder, { recursive: true, force: true })
    },
  }
}

const ownServer = async (
  port: number,
  start: (port: number) => Promise<LocalServer>,
): Promise<OwnServer & { url: string }> => {
  let server: LocalServer | null = await start(port)
  const { url } = server
  return {
    url,
    port,
    end: async (how) => {
      if (server === null) return
      const ending = server
      server = null
      if (how === 'kill') killIfThere(ending.pid, 'SIGKILL')
      await ending.stop()
    },
    start: async () => {
      server ??= await start(port)
      if (server.port !== port) throw new Error(`port ${port} was taken meanwhile`)
    },
  }
}

const storeOf = (store: string, kept: string) => ({
  keepCopy: async () => {
    await rm(kept, { recursive: true, force: true })
    await cp(store, kept, { recursive: true })
  },
  restoreCopy: async () => {
    await rm(store, { recursive: true, force: true })
    await cp(kept, store, { recursive: true })
  },
  truncateBlocks: async () => {
    const names = await readdir(store, { recursive: true }).catch((): string[] => [])
    for (const name of names.filter((one) => one.endsWith('.blk'))) {
      const { size } = await stat(join(store, name))
      await truncate(join(store, name), Math.floor(size / 2))
    }
  },
  forget: () => rm(store, { recursive: true, force: true }),
})
