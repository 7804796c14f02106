// Starts a server, prints its URL and pid, and waits to be ended: `hold-server.ts postgres|nats <data folder>`.

import { findNatsServer, searchPathOf, startNatsServer } from '../../../src/local/nats-server.ts'
import { startEmbeddedPostgres } from '../../../src/local/postgres.ts'

const [kind, dataFolder = ''] = process.argv.slice(2)
const say = (): void => undefined

const start = async () => {
  if (kind === 'postgres') return startEmbeddedPostgres({ dataFolder, say })
  const program = await findNatsServer({ binFolder: '.data/bin', searchPath: searchPathOf(process.env), say })
  return startNatsServer({ program, dataFolder, say })
}

const { url, pid } = await start()
process.stdout.write(`${JSON.stringify({ url, pid })}\n`)
setInterval(() => undefined, 60_000)
