import { execFile } from 'node:child_process'
import { readFile, stat } from 'node:fs/promises'
import { promisify } from 'node:util'
import { LocalProblem } from './problem.ts'

const run = promisify(execFile)

/** Under which user a server runs, and what must stand before its command so that it can reach its files. */
export type ServerAccount = {
  user?: { uid: number; gid: number }
  prefix: readonly string[]
}

/** What starts a program under the account: the command line, and the user to spawn it as unless a prefix changes it. */
export const commandAs = (
  account: ServerAccount,
  program: string,
  args: readonly string[],
): { command: string; args: string[]; user?: { uid: number; gid: number } } => {
  const [wrapper, ...wrapperArgs] = account.prefix
  if (wrapper !== undefined) return { command: wrapper, args: [...wrapperArgs, program, ...args] }
  return { command: program, args: [...args], ...(account.user !== undefined && { user: account.user }) }
}

/** Who owns the data of a server that root starts for the first time: Postgres' own user, else nobody. */
const PREFERRED_USERS = ['postgres', 'nobody']

/** Linux capabilities that let a process pass through folders closed to it, the lesser first, with their bit. */
const REACHING_CAPABILITIES = [
  { name: 'dac_read_search', bit: 2 },
  { name: 'dac_override', bit: 1 },
]

const findUser = async (name: string): Promise<{ uid: number; gid: number } | null> => {
  try {
    const [uid, gid] = await Promise.all([run('id', ['-u', name]), run('id', ['-g', name])])
    return { uid: Number(uid.stdout), gid: Number(gid.stdout) }
  } catch {
    return null
  }
}

const ownerOf = async (folder: string): Promise<{ uid: number; gid: number } | null> => {
  const found = await stat(folder).catch(() => null)
  return found === null || found.uid === 0 ? null : { uid: found.uid, gid: found.gid }
}

const firstKnownUser = async (): Promise<{ uid: number; gid: number }> => {
  for (const name of PREFERRED_USERS) {
    const user = await findUser(name)
    if (user !== null) return user
  }
  throw new LocalProblem(
    'Postgres does not run as root, and this machine has neither a user postgres nor nobody. Run as an ordinary user, or set DATABASE_URL.',
  )
}

/** What an account must be able to do: enter the folder, and run the program of Postgres' that finds its own files. */
type Reach = { folder: string; program: string }

/** Whether the account can do so. The program complains when it cannot find itself, but succeeds all the same. */
const reaches = async (account: ServerAccount, reach: Reach): Promise<boolean> => {
  const test = 'test -x "$1" && exec "$2" --version'
  const { command, args, user } = commandAs(account, '/bin/sh', [
    '-c',
    test,
    'sh',
    reach.folder,
    reach.program,
  ])
  try {
    const { stderr } = await run(command, args, { cwd: '/', ...user })
    return stderr === ''
  } catch {
    return false
  }
}

const ownCapabilities = async (): Promise<bigint> => {
  const status = await readFile('/proc/self/status', 'utf8').catch(() => '')
  return BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`)
}

/** Changes the user by `setpriv`, which can leave it one capability. */
const withCapability = (user: { uid: number; gid: number }, capability: string): ServerAccount => ({
  user,
  prefix: [
    'setpriv',
    `--reuid=${user.uid}`,
    `--regid=${user.gid}`,
    '--clear-groups',
    `--inh-caps=-all,+${capability}`,
    `--ambient-caps=-all,+${capability}`,
    // Else access(2), by which Postgres looks for its own files, leaves the capability out of account.
    '--securebits=+no_setuid_fixup',
  ],
})

/**
 * The account that Postgres runs under: our own, unless we are root, under which it refuses to run. Then it is the owner of
 * the data that is there, else the user postgres, else nobody. A clone below a folder that only root may enter (`/root`,
 * `mktemp -d`) is out of that user's reach; then the server keeps the one capability that lets it pass.
 * Throws `LocalProblem` when there is no way.
 */
export const chooseAccount = async (options: {
  dataFolder: string
  reach: Reach
}): Promise<ServerAccount> => {
  if (process.getuid?.() !== 0) return { prefix: [] }
  const user = (await ownerOf(options.dataFolder)) ?? (await firstKnownUser())
  const plain: ServerAccount = { user, prefix: [] }
  if (await reaches(plain, options.reach)) return plain
  const capabilities = await ownCapabilities()
  for (const { name, bit } of REACHING_CAPABILITIES) {
    const account = withCapability(user, name)
    if ((capabilities >> BigInt(bit)) % 2n === 1n && (await reaches(account, options.reach))) return account
  }
  throw new LocalProblem(
    `Postgres does not run as root, and the user with id ${user.uid}, which it would run as, may not enter the project's folder or ${options.reach.folder}. ` +
      'Move the project and DATA_DIR to folders that every user may enter, run as an ordinary user, or set DATABASE_URL.',
  )
}
