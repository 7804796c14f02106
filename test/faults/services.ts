import { cp, readdir, rm, stat, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { migrateToLatest } from '../../src/database/migrate.ts'
import { findNatsServer, searchPathOf, startNatsServer } from '../../src/local/nats-server.ts'
import { openTestFolder } from '../support/folder.ts'
import { type OwnPostgres, type OwnServer, startOwnPostgres, startOwnServer } from '../support/own-server.ts'
import { quietLog } from '../support/quiet-log.ts'
import { copyDatabase, onDatabase, runStatement } from '../support/test-run.ts'

export type OwnServices = {
  /** For files that processes keep; gone after `close`. */
  folder: string
  postgres: OwnPostgres
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
  await using opening = new AsyncDisposableStack()
  const { path: folder } = opening.adopt(await openTestFolder(), (one) => one.close())
  const program = await findNatsServer({ binFolder: BIN_FOLDER, searchPath: searchPathOf(process.env), say })
  const postgres = opening.adopt(await startOwnPostgres(), (one) => one.close())
  const nats = opening.adopt(
    await startOwnServer((port) => startNatsServer({ program, dataFolder: join(folder, 'nats'), port, say })),
    (one) => one.end('stop'),
  )
  const template = onDatabase(postgres.url, TEMPLATE)
  await runStatement(postgres.url, `CREATE DATABASE ${TEMPLATE}`)
  await migrateToLatest({ databaseUrl: template, log: quietLog })
  const opened = opening.move()
  return {
    folder,
    postgres,
    createDatabase: async (name) => {
      await copyDatabase(postgres.url, TEMPLATE, name)
      return (port) => Object.assign(new URL(onDatabase(postgres.url, name)), { port: String(port) }).href
    },
    nats: { ...nats, ...storeOf(join(folder, 'nats', 'jetstream'), join(folder, 'kept')) },
    close: () => opened.disposeAsync(),
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
