import { execFile } from 'node:child_process'
import { stat } from 'node:fs/promises'
import { promisify } from 'node:util'
import { type Command, UserError } from './child-process.ts'

const run = promisify(execFile)

type User = { uid: number; gid: number }

/** Under which user a server runs, and what must stand before its command so that it can reach its files. */
export type ServerAccount = {
  user?: User
  prefix: readonly string[]
}

/** What starts a program under the account: a prefix changes the user itself. */
export const commandAs = (account: ServerAccount, program: string, args: readonly string[]): Command => {
  const [wrapper, ...wrapperArgs] = account.prefix
  if (wrapper !== undefined) return { program: wrapper, args: [...wrapperArgs, program, ...args] }
  return { program, args, uid: account.user?.uid, gid: account.user?.gid }
}

/** Who owns the data of a server that root starts for the first time: Postgres' own user, else nobody. */
const PREFERRED_USERS = ['postgres', 'nobody']

/** Linux capabilities that let a process pass through folders closed to it, the lesser first. */
const REACHING_CAPABILITIES = ['dac_read_search', 'dac_override']

const findUser = (name: string): Promise<User | null> =>
  Promise.all([run('id', ['-u', name]), run('id', ['-g', name])]).then(
    ([uid, gid]) => ({ uid: Number(uid.stdout), gid: Number(gid.stdout) }),
    () => null,
  )

/** The owner of the data that is there, unless that is root, else the first of the preferred users. */
const chooseUser = async (dataFolder: string): Promise<User> => {
  const owner = await stat(dataFolder).catch(() => null)
  if (owner !== null && owner.uid !== 0) return { uid: owner.uid, gid: owner.gid }
  for (const name of PREFERRED_USERS) {
    const user = await findUser(name)
    if (user !== null) return user
  }
  throw new UserError(
    'Postgres does not run as root, and this machine has neither a user postgres nor nobody. Run as an ordinary user, or set DATABASE_URL.',
  )
}

/** What an account must be able to do: enter the folder, and run the program of Postgres' that finds its own files. */
type Reach = { folder: string; program: string }

/** Whether the account can do so. The program complains when it cannot find itself, but succeeds all the same. */
const reaches = async (account: ServerAccount, { folder, program }: Reach): Promise<boolean> => {
  const test = ['-c', 'test -x "$1" && exec "$2" --version', 'sh', folder, program]
  const { program: shell, args, uid, gid } = commandAs(account, '/bin/sh', test)
  return run(shell, args, { cwd: '/', uid, gid }).then(
    ({ stderr }) => stderr === '',
    () => false,
  )
}

/** Changes the user by `setpriv`, which can leave it one capability. */
const withCapability = (user: User, capability: string): ServerAccount => ({
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
 * The account that Postgres runs under: our own, unless we are root, under which it refuses to run. Then it is the
 * owner of the data that is there, else the user postgres, else nobody. A clone below a folder that only root may enter
 * (`/root`, `mktemp -d`) is out of that user's reach; then the server keeps the one capability that lets it pass.
 * Throws `UserError` when there is no way.
 */
export const chooseAccount = async (options: Reach & { dataFolder: string }): Promise<ServerAccount> => {
  if (process.getuid?.() !== 0) return { prefix: [] }
  const user = await chooseUser(options.dataFolder)
  const accounts = [{ user, prefix: [] }, ...REACHING_CAPABILITIES.map((name) => withCapability(user, name))]
  for (const account of accounts) if (await reaches(account, options)) return account
  throw new UserError(
    `Postgres does not run as root, and the user with id ${user.uid}, which it would run as, may not enter the project's folder or ${options.folder}. ` +
      'Move the project and DATA_DIR to folders that every user may enter, run as an ordinary user, or set DATABASE_URL.',
  )
}
