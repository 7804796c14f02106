import { connectDatabase } from '../../src/database/connect.ts'
import { migrateToLatest } from '../../src/database/migrate.ts'
import type { TestDatabase } from './database.ts'
import { startOwnPostgres } from './own-server.ts'
import { quietLog } from './quiet-log.ts'

/**
 * A migrated database on a Postgres of its own, which `drop` ends: for tests of what every transaction of a server
 * holds up, whichever database it is in. Whoever connects closes before.
 */
export const startOwnDatabase = async (
  options: { settings?: Record<string, string> } = {},
): Promise<TestDatabase> => {
  const server = await startOwnPostgres(options)
  await migrateToLatest({ databaseUrl: server.url, log: quietLog })
  return { url: server.url, drop: () => server.close() }
}

/** Connections to it, for a test that has the server to itself. */
export const connectTo = ({ url }: TestDatabase, poolSize = 4) =>
  connectDatabase({ databaseUrl: url, poolSize, log: quietLog })
