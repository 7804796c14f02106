import { join } from 'node:path'
import { Client } from 'pg'
import { startEmbeddedPostgres } from './embedded-postgres.ts'
import { findNatsServer, searchPathOf } from './find-nats-server.ts'
import type { LocalServer } from './local-server.ts'
import { startNatsServer } from './nats-server.ts'
import { LocalProblem } from './problem.ts'
import { type Supervised, supervise } from './supervise.ts'

type Options = {
  dataDir: string
  environment: Record<string, string | undefined>
  say: (text: string) => void
  onRestarted: () => void
  signal: AbortSignal
}

/** The name of the database in our own Postgres. */
const DATABASE_NAME = 'gateway'

/** Starts the server, again on its first port: that is what the other processes were told. */
const onOnePort = (
  start: (port: number | undefined) => Promise<LocalServer>,
): (() => Promise<LocalServer>) => {
  let firstPort: number | undefined
  return async () => {
    const server = await start(firstPort)
    if (firstPort !== undefined && server.port !== firstPort) {
      await server.stop()
      throw new LocalProblem(`its port ${firstPort} is taken`)
    }
    firstPort = server.port
    return server
  }
}

/** Postgres of our own with its data in DATA_DIR, kept running. */
export const keepPostgres = (options: Options): Promise<Supervised<LocalServer>> =>
  supervise({
    name: 'postgres',
    say: options.say,
    onRestarted: options.onRestarted,
    start: onOnePort((port) =>
      startEmbeddedPostgres({
        dataFolder: join(options.dataDir, 'postgres'),
        say: options.say,
        signal: options.signal,
        ...(port !== undefined && { port }),
      }),
    ),
  })

/** NATS of our own, kept running; null, and said so, where it cannot be had: the gateway works without. */
export const keepNats = async (options: Options): Promise<Supervised<LocalServer> | null> => {
  const { dataDir, environment, say, signal } = options
  try {
    const searchPath = searchPathOf(environment)
    const program = await findNatsServer({ binFolder: join(dataDir, 'bin'), searchPath, say, signal })
    return await supervise({
      name: 'nats',
      say,
      onRestarted: options.onRestarted,
      start: onOnePort((port) =>
        startNatsServer({
          program,
          dataFolder: join(dataDir, 'nats'),
          say,
          signal,
          ...(port !== undefined && { port }),
        }),
      ),
    })
  } catch (error) {
    if (!(error instanceof LocalProblem)) throw error
    say(error.message)
    return null
  }
}

/** The URL of the gateway's database on our own Postgres, which is created if it is not there. */
export const ensureDatabase = async (serverUrl: string): Promise<string> => {
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
