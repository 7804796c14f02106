import { sql } from 'kysely'
import { areIndexesBuilt } from './build-indexes.ts'
import type { Database } from './connect.ts'
import { MIGRATION_NAMES } from './migration-names.ts'

/**
 * True when every migration of this release has run, and the indexes are built: what `serve` and `dispatch` need before
 * they start.
 */
export const isMigrated = async (database: Database): Promise<boolean> =>
  haveMigrationsRun(await readRunMigrations(database)) && (await areIndexesBuilt(database))

/** Whether all of this release are among them. */
export const haveMigrationsRun = (run: ReadonlySet<string>): boolean =>
  MIGRATION_NAMES.every((name) => run.has(name))

/** The names of the migrations that have run, those of another release too; none before the first. */
export const readRunMigrations = async (database: Database): Promise<ReadonlySet<string>> => {
  const { rows: tables } = await sql<{ is_there: boolean }>`
    SELECT to_regclass('kysely_migration') IS NOT NULL AS is_there
  `.execute(database)
  if (tables[0]?.is_there !== true) return new Set()
  const { rows } = await sql<{ name: string }>`SELECT name FROM kysely_migration`.execute(database)
  return new Set(rows.map(({ name }) => name))
}
