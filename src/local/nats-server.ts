import { execFile } from 'node:child_process'
import { access, constants, mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { delimiter, join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { connect } from 'nats'
import { startGuarded, UserError } from './child-process.ts'
import {
  endOrphanedServer,
  isProcessOf,
  type LocalServer,
  type LocalServerOptions,
  readPidFile,
  startLocalServer,
} from './local-server.ts'

const START_TIMEOUT_MS = 60_000
const STOP_GRACE_MS = 10_000
const FETCH_TIMEOUT_MS = 120_000

/** JetStream's own limits, as nats-server writes them (`256MB`); without them it takes most of the memory and disk. */
export type JetStreamLimits = { max_memory_store?: string; max_file_store?: string }

/**
 * Starts the given `nats-server` with JetStream on 127.0.0.1, its store, configuration and `nats.log` in `dataFolder`;
 * what is there is used again. A server that an earlier, killed run left on this store is ended first. Resolves when
 * JetStream answers. Throws `UserError` with the end of the log.
 */
export const startNatsServer = async (
  options: LocalServerOptions & { program: string; limits?: JetStreamLimits },
): Promise<LocalServer> => {
  const folder = resolve(options.dataFolder)
  const config = join(folder, 'nats.conf')
  const pidFile = join(folder, 'nats.pid')
  const logFile = join(folder, 'nats.log')
  await mkdir(folder, { recursive: true })
  const oldPid = await readPidFile(pidFile)
  if (oldPid !== null && (await isProcessOf(oldPid, config)))
    await endOrphanedServer({ name: 'nats-server', pid: oldPid, forceSignal: 'SIGKILL', say: options.say })

  const run = async (port: number) => {
    const limits = Object.entries(options.limits ?? {}).map(([name, value]) => `  ${name}: ${value}\n`)
    await writeFile(
      config,
      `listen: "127.0.0.1:${port}"\npid_file: ${JSON.stringify(pidFile)}\n` +
        `jetstream {\n  store_dir: ${JSON.stringify(join(folder, 'jetstream'))}\n${limits.join('')}}\n`,
    )
    return startGuarded({
      command: { program: options.program, args: ['-c', config] },
      environment: { PATH: process.env['PATH'] ?? '/usr/bin:/bin' },
      logFile,
      stopSignal: 'INT',
      forceSignal: 'SIGKILL',
      graceMs: STOP_GRACE_MS,
    })
  }
  return startLocalServer({
    name: 'nats-server',
    logFile,
    port: options.port,
    signal: options.signal,
    timeoutMs: START_TIMEOUT_MS,
    urlOf: (port) => `nats://127.0.0.1:${port}`,
    answers: hasJetStream,
    run,
  })
}

/** Whether a NATS server listens at the URL, takes us, and has JetStream enabled. */
export const hasJetStream = async (natsUrl: string): Promise<boolean> => {
  try {
    const connection = await connect({ servers: natsUrl, timeout: 2_000, reconnect: false })
    try {
      await (await connection.jetstreamManager({ timeout: 2_000 })).getAccountInfo()
      return true
    } finally {
      await connection.close()
    }
  } catch {
    return false
  }
}

/** Where package managers put servers, though an ordinary user's PATH may not name it. */
const USUAL_FOLDERS = ['/usr/sbin', '/usr/local/sbin', '/usr/local/bin', '/opt/homebrew/bin']

/** The PATH of the environment and the folders beside it in which a server is looked for. */
export const searchPathOf = (environment: Record<string, string | undefined>): string =>
  [environment['PATH'] ?? '', ...USUAL_FOLDERS].join(delimiter)

/** The file of a program in the folders of a PATH; null when it is in none. */
export const findOnPath = async (name: string, path: string): Promise<string | null> => {
  for (const folder of path.split(delimiter).filter((one) => one !== '')) {
    const file = join(folder, name)
    const isProgram = access(file, constants.X_OK).then(() => true)
    if (await isProgram.catch(() => false)) return file
  }
  return null
}

/**
 * The file of a `nats-server`: on PATH or where package managers put it, else in `binFolder`, else fetched into it by
 * the machine's apt. Throws `UserError` that says what to type where that is impossible.
 */
export const findNatsServer = async (options: {
  binFolder: string
  /** The folders to search, as in PATH; see `searchPathOf`. */
  searchPath: string
  say: (text: string) => void
  signal?: AbortSignal
}): Promise<string> => {
  const { searchPath, say } = options
  const binFolder = resolve(options.binFolder)
  const found = await findOnPath('nats-server', `${searchPath}${delimiter}${binFolder}`)
  if (found !== null) return found
  let reason = 'this machine has no apt-get'
  if ((await findOnPath('apt-get', searchPath)) !== null) {
    say(`fetching nats-server with apt-get into ${binFolder}`)
    const timeout = AbortSignal.timeout(FETCH_TIMEOUT_MS)
    try {
      return await fetchWithApt(
        binFolder,
        AbortSignal.any([timeout, ...(options.signal ? [options.signal] : [])]),
      )
    } catch (error) {
      options.signal?.throwIfAborted()
      const output = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : ''
      reason = output || (error instanceof Error ? error.message : String(error))
    }
  }
  throw new UserError(
    `there is no nats-server, and it cannot be fetched (${reason}). It is optional for the gateway: without it the ` +
      `dispatcher works from Postgres alone. To have it: ${await howToInstall(searchPath)}, or set NATS_URL.`,
  )
}

/** What an operator types to have nats-server on this machine, by the program of its package manager. */
const INSTALL_COMMANDS = {
  'apt-get': 'sudo apt-get install nats-server',
  apk: 'sudo apk add nats-server',
  pacman: 'sudo pacman -S nats-server',
  brew: 'brew install nats-server',
}

const howToInstall = async (searchPath: string): Promise<string> => {
  for (const [manager, command] of Object.entries(INSTALL_COMMANDS))
    if ((await findOnPath(manager, searchPath)) !== null) return command
  return 'put nats-server from https://github.com/nats-io/nats-server/releases on PATH'
}

/** Takes nats-server out of its Debian package into the folder. */
const fetchWithApt = async (binFolder: string, signal: AbortSignal): Promise<string> => {
  await mkdir(binFolder, { recursive: true })
  const workFolder = await mkdtemp(join(binFolder, 'fetch-'))
  try {
    await unpackPackages({ packages: ['nats-server'], folder: workFolder, signal })
    const program = join(binFolder, 'nats-server')
    await rename(join(workFolder, 'usr', 'sbin', 'nats-server'), program)
    return program
  } finally {
    await rm(workFolder, { recursive: true, force: true })
  }
}

const execute = promisify(execFile)

/**
 * Downloads Debian packages with the machine's apt and unpacks all of them into the folder, which must be there. Needs
 * no root, and leaves the system as it is. Throws what apt says when it cannot.
 */
export const unpackPackages = async (options: {
  packages: readonly string[]
  folder: string
  signal: AbortSignal
}): Promise<void> => {
  const { packages, folder, signal } = options
  const work = await mkdtemp(join(folder, 'packages-'))
  const apt = (...args: string[]): Promise<unknown> => execute('apt-get', args, { cwd: work, signal })
  try {
    await apt('download', ...packages).catch(async () => {
      signal.throwIfAborted()
      // The machine has no lists of packages, or old ones: with lists of its own, which need no rights.
      for (const path of ['lists/partial', 'archives/partial'])
        await mkdir(join(work, path), { recursive: true })
      const settings = [`Dir::State::lists=${work}/lists`, `Dir::Cache=${work}`, 'APT::Sandbox::User=root']
      const own = settings.flatMap((setting) => ['-o', setting])
      await apt(...own, 'update')
      await apt(...own, 'download', ...packages)
    })
    for (const archive of (await readdir(work)).filter((name) => name.endsWith('.deb')))
      await execute('dpkg-deb', ['-x', join(work, archive), folder], { signal })
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}
