import type { Database } from '../database/connect.ts'
import { isMigrated } from '../database/migrate.ts'
import { CommandError } from './output.ts'

/** How long `dispatch` waits at its start for a database that is away, ms. */
export const DATABASE_PATIENCE_MS = 60_000

/** Throws a message for a person when the database is not at the schema of this release. */
export const requireSchema = async (database: Database): Promise<void> => {
  if (!(await isMigrated(database))) {
    throw new CommandError('the database does not have the current schema: run `gateway migrate` first')
  }
}
