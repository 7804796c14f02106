import { execFile } from 'node:child_process'
import { access, constants, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises'
import { delimiter, join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { LocalProblem } from './problem.ts'

const run = promisify(execFile)

const FETCH_TIMEOUT_MS = 120_000

/** Where package managers put servers, though an ordinary user's PATH may not name it. */
const USUAL_FOLDERS = ['/usr/sbin', '/usr/local/sbin', '/usr/local/bin', '/opt/homebrew/bin']

const isProgram = (file: string): Promise<boolean> =>
  access(file, constants.X_OK).then(
    () => true,
    () => false,
  )

const findInFolders = async (name: string, folders: readonly string[]): Promise<string | null> => {
  for (const folder of folders) {
    const file = join(folder, name)
    if (folder !== '' && (await isProgram(file))) return file
  }
  return null
}

const findOnPath = (name: string, path: string): Promise<string | null> =>
  findInFolders(name, path.split(delimiter))

/** The PATH of the environment and the folders beside it in which a server is looked for. */
export const searchPathOf = (environment: Record<string, string | undefined>): string =>
  [environment['PATH'] ?? '', ...USUAL_FOLDERS].join(delimiter)

/** What a person types to have nats-server on this machine. */
const howToInstall = async (searchPath: string): Promise<string> => {
  if (process.platform === 'darwin') return 'brew install nats-server'
  for (const [manager, command] of [
    ['apt-get', 'sudo apt-get install nats-server'],
    ['apk', 'sudo apk add nats-server'],
    ['pacman', 'sudo pacman -S nats-server'],
    ['brew', 'brew install nats-server'],
  ] as const) {
    if ((await findOnPath(manager, searchPath)) !== null) return command
  }
  return 'put nats-server from https://github.com/nats-io/nats-server/releases on PATH'
}

/** Where apt keeps its lists, as options: none for the system's own, else a folder that needs no rights. */
const privateLists = (folder: string): string[] => [
  '-o',
  `Dir::State::lists=${join(folder, 'lists')}`,
  '-o',
  `Dir::Cache=${join(folder, 'cache')}`,
  '-o',
  'APT::Sandbox::User=root',
]

/** Downloads Debian's package into the folder; with lists of its own when the machine has none or old ones. */
const downloadPackage = async (folder: string, signal: AbortSignal): Promise<void> => {
  const apt = (args: string[]): Promise<unknown> => run('apt-get', args, { cwd: folder, signal })
  try {
    await apt(['download', 'nats-server'])
  } catch {
    signal.throwIfAborted()
    const lists = privateLists(folder)
    await mkdir(join(folder, 'lists', 'partial'), { recursive: true })
    await mkdir(join(folder, 'cache', 'archives', 'partial'), { recursive: true })
    await apt([...lists, 'update'])
    await apt([...lists, 'download', 'nats-server'])
  }
}

/** Takes nats-server out of its Debian package into the folder. Needs no root, and leaves the system as it is. */
const fetchWithApt = async (binFolder: string, signal: AbortSignal): Promise<string> => {
  await mkdir(binFolder, { recursive: true })
  const workFolder = await mkdtemp(join(binFolder, 'fetch-'))
  try {
    await downloadPackage(workFolder, signal)
    const archive = (await readdir(workFolder)).find((name) => name.endsWith('.deb'))
    if (archive === undefined) throw new Error('apt-get downloaded no package')
    const content = join(workFolder, 'content')
    await run('dpkg-deb', ['-x', join(workFolder, archive), content], { signal })
    const program = join(binFolder, 'nats-server')
    await rename(join(content, 'usr', 'sbin', 'nats-server'), program)
    return program
  } finally {
    await rm(workFolder, { recursive: true, force: true })
  }
}

const whyNot = (error: unknown): string => {
  const output = error instanceof Error && 'stderr' in error ? String(error.stderr) : ''
  return output.trim() || (error instanceof Error ? error.message : String(error))
}

/**
 * The file of a `nats-server`: on PATH or where package managers put it, else in `binFolder`, else fetched into it by the
 * machine's apt. Throws `LocalProblem` that says what to type where that is impossible.
 */
export const findNatsServer = async (options: {
  binFolder: string
  /** The folders to search, as in PATH; see `searchPathOf`. */
  searchPath: string
  say: (text: string) => void
  signal?: AbortSignal
}): Promise<string> => {
  const binFolder = resolve(options.binFolder)
  const found =
    (await findOnPath('nats-server', options.searchPath)) ?? (await findInFolders('nats-server', [binFolder]))
  if (found !== null) return found
  const timeout = AbortSignal.timeout(FETCH_TIMEOUT_MS)
  const signal = options.signal === undefined ? timeout : AbortSignal.any([options.signal, timeout])
  let reason = 'this machine has no apt-get'
  if ((await findOnPath('apt-get', options.searchPath)) !== null) {
    options.say(`fetching nats-server with apt-get into ${binFolder}`)
    try {
      return await fetchWithApt(binFolder, signal)
    } catch (error) {
      options.signal?.throwIfAborted()
      reason = whyNot(error)
    }
  }
  throw new LocalProblem(
    `there is no nats-server, and it cannot be fetched (${reason}). It is optional for the gateway: without it the ` +
      `dispatcher works from Postgres alone. To have it: ${await howToInstall(options.searchPath)}, or set NATS_URL.`,
  )
}
