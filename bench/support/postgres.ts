import { sql } from 'kysely'
import { connectDatabase, type Database } from '../../src/database/connect.ts'
import type { LocalServer } from '../../src/local/local-server.ts'
import { startEmbeddedPostgres } from '../../src/local/postgres.ts'
import { createLog } from '../../src/runtime/log.ts'

/** As docs/operations.md asks for. Checkpoints are made where a benchmark asks for one, not in the middle of some round. */
const SETTINGS = {
  shared_buffers: '1GB',
  wal_compression: 'on',
  min_wal_size: '1GB',
  max_wal_size: '8GB',
  checkpoint_timeout: '1h',
}

/** As many segments of 16 MB as `min_wal_size` keeps. */
const LOG_SEGMENTS = 64

/**
 * Starts a Postgres of the benchmark's own, durable as it is by default, that has run for a while: a new one fills a new segment
 * of its log with zeros for every 16 MB, and each time every commit waits about 40 ms; one that has been through checkpoints
 * uses its old segments again.
 */
export const startBenchPostgres = async (options: {
  dataFolder: string
  say: (text: string) => void
  /** Beside the usual ones. */
  settings?: Record<string, string>
  /** One that has not run before: quicker there, for a try in which no time counts. */
  isFresh?: boolean
}): Promise<LocalServer> => {
  const settings = { ...SETTINGS, ...options.settings }
  const postgres = await startEmbeddedPostgres({ ...options, settings })
  const log = createLog({ name: 'bench', level: 'warn' })
  const database = connectDatabase({ databaseUrl: postgres.url, poolSize: 1, log })
  for (let count = 0; count < (options.isFresh === true ? 0 : LOG_SEGMENTS); count += 1) {
    await sql`SELECT pg_logical_emit_message(true, 'bench', ''), pg_switch_wal()`.execute(database)
  }
  await recycleLog(database)
  await database.destroy()
  return postgres
}

/** Makes the segments that were written so far free to be used again. */
export const recycleLog = async (database: Database): Promise<void> => {
  await sql`CHECKPOINT`.execute(database)
}
