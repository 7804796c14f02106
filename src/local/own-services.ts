import { join } from 'node:path'
import { Client } from 'pg'
import { findNatsServer, searchPathOf } from './find-nats-server.ts'
import type { LocalServer } from './local-server.ts'
import { startNatsServer } from './nats-server.ts'
import { startEmbeddedPostgres } from './postgres.ts'
import { UserError } from './user-error.ts'

type Options = {
  dataDir: string
  environment: Record<string, string | undefined>
  /** Starts a server and keeps it running under the name. */
  keep: (name: string, start: () => Promise<LocalServer>) => Promise<LocalServer>
  say: (text: string) => void
  signal: AbortSignal
}

/** The name of the database in our own Postgres. */
const DATABASE_NAME = 'gateway'

/** Starts a server, each time on its first port: the other processes were started with that one. */
const onFirstPort = (start: (port: number | undefined) => Promise<LocalServer>) => {
  let firstPort: number | undefined
  return async (): Promise<LocalServer> => {
    const server = await start(firstPort)
    firstPort ??= server.port
    if (server.port === firstPort) return server
    await server.stop()
    throw new UserError(`its port ${firstPort} is taken`)
  }
}

/** Keeps a Postgres of our own running, its data in DATA_DIR; resolves with the URL of the gateway's database on it. */
export const keepPostgres = async ({ dataDir, keep, say, signal }: Options): Promise<string> => {
  const dataFolder = join(dataDir, 'postgres')
  const start = onFirstPort((port) => startEmbeddedPostgres({ dataFolder, port, say, signal }))
  return ensureDatabase((await keep('postgres', start)).url)
}

/** Keeps a NATS of our own running; null, with a line that says why, where none can be had: the gateway works without. */
export const keepNats = async (options: Options): Promise<string | null> => {
  const { dataDir, environment, keep, say, signal } = options
  const dataFolder = join(dataDir, 'nats')
  try {
    const searchPath = searchPathOf(environment)
    const program = await findNatsServer({ binFolder: join(dataDir, 'bin'), searchPath, say, signal })
    const start = onFirstPort((port) => startNatsServer({ program, dataFolder, port, say, signal }))
    return (await keep('nats', start)).url
  } catch (error) {
    if (!(error instanceof UserError)) throw error
    say(error.message)
    return null
  }
}

/** The URL of the gateway's database on our own Postgres, which is created if it is not there. */
const ensureDatabase = async (serverUrl: string): Promise<string> => {
  const client = new Client({ connectionString: serverUrl })
  await client.connect()
  try {
    const { rowCount } = await client.query('SELECT FROM pg_database WHERE datname = $1', [DATABASE_NAME])
    if (rowCount === 0) await client.query(`CREATE DATABASE ${DATABASE_NAME}`)
  } finally {
    await client.end()
  }
  const url = new URL(serverUrl)
  url.pathname = `/${DATABASE_NAME}`
  return url.href
}
