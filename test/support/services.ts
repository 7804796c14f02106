import { join } from 'node:path'
import { Client } from 'pg'
import {
  findNatsServer,
  hasJetStream,
  type JetStreamLimits,
  searchPathOf,
  startNatsServer,
} from '../../src/local/nats-server.ts'
import { startEmbeddedPostgres, startPostgres } from '../../src/local/postgres.ts'
import { findTwin } from './postgres-twin.ts'

/** A service that can be used now. `stop` ends it if it is ours, and leaves it alone if it was there before us. */
export type Service = {
  readonly url: string
  /** Where it comes from: named in the environment, listening on the standard port, or started by us. */
  readonly origin: 'given' | 'found' | 'started'
  readonly stop: () => Promise<void>
}

/** The oldest Postgres whose SQL we use: 15, as `server_version_num` has it. */
const OLDEST_POSTGRES = 150_000

const leaveAlone = (url: string, origin: 'given' | 'found'): Service => ({
  url,
  origin,
  stop: () => Promise.resolve(),
})

/** Whether a Postgres of ours to use answers at the URL: recent, writable, and its user may create databases. */
const isUsablePostgres = async (databaseUrl: string): Promise<boolean> => {
  const client = new Client({ connectionString: databaseUrl, connectionTimeoutMillis: 2_000 })
  client.on('error', () => undefined)
  try {
    await client.connect()
    const { rows } = await client.query<{ usable: boolean }>(
      `SELECT (rolsuper OR rolcreatedb) AND NOT pg_is_in_recovery()
              AND current_setting('server_version_num')::int >= $1 AS usable
       FROM pg_roles WHERE rolname = current_user`,
      [OLDEST_POSTGRES],
    )
    return rows[0]?.usable === true
  } catch {
    return false
  } finally {
    await client.end().catch(() => undefined)
  }
}

/**
 * A PostgreSQL to create databases on: that of `DATABASE_URL`, else one on the local standard port that takes the user
 * postgres, else our own with its data in `dataFolder`. Where that is in memory, our own also stands in for the one on
 * the standard port, as the same PostgreSQL. `url` is that of its user's own database.
 */
export const findPostgres = async (options: {
  environment: Record<string, string | undefined>
  dataFolder: string
  isInMemory?: boolean
  settings?: Record<string, string>
  standardPort?: number
  say: (text: string) => void
}): Promise<Service> => {
  const { standardPort = 5432, isInMemory = false, say, settings = {} } = options
  const given = options.environment['DATABASE_URL']
  if (given) return leaveAlone(given, 'given')
  const standard = `postgres://postgres@127.0.0.1:${standardPort}/postgres`
  const isFound = await isUsablePostgres(standard)
  const twin = isFound && isInMemory ? await findTwin(standard) : null
  if (isFound && twin === null) return leaveAlone(standard, 'found')
  const own = { dataFolder: join(options.dataFolder, 'postgres'), say, settings }
  const server = await (twin === null ? startEmbeddedPostgres(own) : startPostgres(twin, own))
  return { url: server.url, origin: 'started', stop: server.stop }
}

/**
 * A NATS with JetStream: that of `NATS_URL`, else one on the local standard port, else our own with its store in
 * `dataFolder`, by a `nats-server` of this machine or one fetched into `binFolder`. Throws `UserError` without any.
 */
export const findNats = async (options: {
  environment: Record<string, string | undefined>
  dataFolder: string
  binFolder: string
  limits?: JetStreamLimits
  standardPort?: number
  say: (text: string) => void
}): Promise<Service> => {
  const { standardPort = 4222, environment } = options
  const given = environment['NATS_URL']
  if (given) return leaveAlone(given, 'given')
  const standard = `nats://127.0.0.1:${standardPort}`
  if (await hasJetStream(standard)) return leaveAlone(standard, 'found')
  const program = await findNatsServer({ ...options, searchPath: searchPathOf(environment) })
  const server = await startNatsServer({
    program,
    dataFolder: join(options.dataFolder, 'nats'),
    say: options.say,
    ...(options.limits !== undefined && { limits: options.limits }),
  })
  return { url: server.url, origin: 'started', stop: server.stop }
}
