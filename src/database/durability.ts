import { sql } from 'kysely'
import type { Log } from '../runtime/log.ts'
import type { Database } from './connect.ts'

/**
 * Warns loudly when the server could lose what it called committed: with `fsync` or `full_page_writes` off, a crash of its
 * machine breaks law 1 whatever we do.
 */
export const warnOfLostCommits = async (database: Database, log: Log): Promise<void> => {
  const { rows } = await sql<{ name: string; setting: string }>`
    SELECT name, setting FROM pg_settings WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit')
  `.execute(database)
  for (const { name, setting } of rows) {
    if (setting !== 'off') continue
    log.error({
      event: 'database_not_durable',
      setting: name,
      help: `set ${name} = on: answered payments can be lost`,
    })
  }
}
