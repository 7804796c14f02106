import { access, constants, mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { delimiter, join, resolve } from 'node:path'
import { unpackPackages } from './debian-packages.ts'
import { UserError } from './user-error.ts'

const FETCH_TIMEOUT_MS = 120_000

/** Where package managers put servers, though an ordinary user's PATH may not name it. */
const USUAL_FOLDERS = ['/usr/sbin', '/usr/local/sbin', '/usr/local/bin', '/opt/homebrew/bin']

/** The file of a program in the folders of a PATH; null when it is in none. */
export const findOnPath = (name: string, path: string): Promise<string | null> =>
  findInFolders(name, path.split(delimiter))

const findInFolders = async (name: string, folders: readonly string[]): Promise<string | null> => {
  for (const folder of folders.filter((one) => one !== '')) {
    const file = join(folder, name)
    const isProgram = access(file, constants.X_OK).then(() => true)
    if (await isProgram.catch(() => false)) return file
  }
  return null
}

/** The PATH of the environment and the folders beside it in which a server is looked for. */
export const searchPathOf = (environment: Record<string, string | undefined>): string =>
  [environment['PATH'] ?? '', ...USUAL_FOLDERS].join(delimiter)

/** What an operator types to have nats-server on this machine, by the program of its package manager. */
const INSTALL_COMMANDS = {
  'apt-get': 'sudo apt-get install nats-server',
  apk: 'sudo apk add nats-server',
  pacman: 'sudo pacman -S nats-server',
  brew: 'brew install nats-server',
}

const howToInstall = async (searchPath: string): Promise<string> => {
  if (process.platform === 'darwin') return INSTALL_COMMANDS.brew
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

/**
 * The file of a `nats-server`: on PATH or where package managers put it, else in `binFolder`, else fetched into it by the
 * machine's apt. Throws `UserError` that says what to type where that is impossible.
 */
export const findNatsServer = async (options: {
  binFolder: string
  /** The folders to search, as in PATH; see `searchPathOf`. */
  searchPath: string
  say: (text: string) => void
  signal?: AbortSignal
}): Promise<string> => {
  const binFolder = resolve(options.binFolder)
  const found = await findInFolders('nats-server', [...options.searchPath.split(delimiter), binFolder])
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
      const output = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : ''
      reason = output || (error instanceof Error ? error.message : String(error))
    }
  }
  throw new UserError(
    `there is no nats-server, and it cannot be fetched (${reason}). It is optional for the gateway: without it the ` +
      `dispatcher works from Postgres alone. To have it: ${await howToInstall(options.searchPath)}, or set NATS_URL.`,
  )
}
