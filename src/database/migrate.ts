import { setTimeout as pause } from 'node:timers/promises'
import { sql } from 'kysely'
import { type MigrationResult, Migrator, NO_MIGRATIONS } from 'kysely/migration'
import { DatabaseError } from 'pg'
import type { Log } from '../runtime/log.ts'
import { handOverOrWarn } from './application-role.ts'
import { buildIndexes } from './build-indexes.ts'
import { connectDatabase, type Database } from './connect.ts'
import { raiseEventBase } from './event-base.ts'
import { haveMigrationsRun, readRunMigrations } from './is-migrated.ts'
import { isMigrationName } from './migration-names.ts'
import { MIGRATIONS } from './migrations.ts'
import { ensurePartitions, isLockNotAvailable } from './partitions.ts'
import { PLANNED_BY_SIZE } from './plan-settings.ts'

const migratorOf = (database: Database): Migrator =>
  // oxlint-disable-next-line eslint/id-denylist -- Kysely's name
  new Migrator({ db: database, provider: { getMigrations: () => Promise.resolve(MIGRATIONS) } })

/**
 * Brings the database to the current schema, makes the partitions that are needed next, builds the indexes that are
 * declared and not built, and hands the tables over to the gateway's own group, where that is allowed; resolves with the names of the migrations that ran. A schema that a
 * later release has left is as good: nothing runs, so that whoever goes back may run this too. Safe to run from several
 * processes at once: Kysely takes a lock. Throws what the failing statement threw, after rolling it back.
 */
export const migrateToLatest = async (options: { databaseUrl: string; log: Log }): Promise<string[]> => {
  const database = connectDatabase({
    databaseUrl: options.databaseUrl,
    log: options.log,
    poolSize: 2,
    settings: PLANNED_BY_SIZE,
  })
  try {
    const startedAt = await readClock(database)
    const results = (await isOfLaterRelease(database)) ? [] : await runMigrations(options)
    if (results.length > 0) await reportOldConnections(database, startedAt, options.log)
    await untilPartitions(database, options.log)
    await buildIndexes(database, options.log)
    await raiseEventBase(database, options.log)
    await handOverOrWarn(database, options.log)
    return results.map((result) => result.migrationName)
  } finally {
    await database.destroy()
  }
}

/** How long others have the tables before it is tried again to have one alone, ms. */
const AGAIN_MS = 5_000

/** Makes the partitions that are missing, however long a transaction of somebody else keeps their tables in use. */
const untilPartitions = async (database: Database, log: Log): Promise<void> => {
  for (let tries = 0; !(await ensurePartitions(database)); tries += 1) {
    if (tries === 0) log.warn({ event: 'partitions_put_off' })
    await pause(AGAIN_MS)
  }
}

/** How long migrations wait for a table: whoever comes meanwhile, with a payment too, waits behind them. */
const MIGRATIONS_WAIT = '1s'

/** How often migrations begin at most that Postgres ends for a deadlock with what runs beside them: nothing is left of one. */
const MOST_TRIES = 5

/**
 * Runs them, and begins again where Postgres ended them for a deadlock, or where they would have had to wait for a table
 * that a transaction of somebody else, or another `migrate`, uses: whoever came meanwhile would wait behind them.
 */
const runMigrations = async (options: { databaseUrl: string; log: Log }): Promise<MigrationResult[]> => {
  const { databaseUrl, log } = options
  const settings = { ...PLANNED_BY_SIZE, lock_timeout: MIGRATIONS_WAIT }
  const database = connectDatabase({ databaseUrl, log, poolSize: 2, settings })
  let [deadlocks, isPutOff] = [0, false]
  try {
    for (;;) {
      const { error, results = [] } = await migratorOf(database).migrateToLatest()
      if (!error) return results
      if (isLockNotAvailable(error)) {
        if (!isPutOff) log.warn({ event: 'migrations_put_off' })
        isPutOff = true
        await pause(AGAIN_MS)
        continue
      }
      deadlocks += 1
      if (!isDeadlock(error) || deadlocks === MOST_TRIES) throw error
    }
  } finally {
    await database.destroy()
  }
}

const isDeadlock = (error: unknown): boolean => error instanceof DatabaseError && error.code === '40P01'

const readClock = async (database: Database): Promise<Date> => {
  const { rows } = await sql<{ now: Date }>`SELECT now() AS now`.execute(database)
  return rows[0]?.now ?? new Date(0)
}

/** Logs connections of release 0.1.0 that are older than what ran, and so were not ended. */
const reportOldConnections = async (database: Database, startedAt: Date, log: Log): Promise<void> => {
  const { rows } = await sql<{ count: number }>`
    SELECT count(*)::integer AS count FROM pg_stat_activity
    WHERE datname = current_database() AND backend_type = 'client backend' AND application_name = ''
      AND pid <> pg_backend_pid() AND backend_start < ${startedAt}
  `.execute(database)
  const count = rows[0]?.count ?? 0
  if (count > 0) log.warn({ event: 'old_connections_left', connections: count })
}

/** True when every migration of this release has run, and others that it does not know. */
const isOfLaterRelease = async (database: Database): Promise<boolean> => {
  const run = await readRunMigrations(database)
  return haveMigrationsRun(run) && [...run].some((name) => !isMigrationName(name))
}

/** Undoes every migration, and so deletes everything; for tests of the way down. */
export const migrateToNothing = ({ databaseUrl, log }: { databaseUrl: string; log: Log }): Promise<void> =>
  migrateBack({ databaseUrl, log, to: NO_MIGRATIONS })

/**
 * Undoes the migrations after `to`, and so deletes what they brought; for tests of the way down, and up again with
 * data.
 */
export const migrateBack = async (options: {
  databaseUrl: string
  log: Log
  to: string | typeof NO_MIGRATIONS
}): Promise<void> => {
  const database = connectDatabase({
    databaseUrl: options.databaseUrl,
    log: options.log,
    poolSize: 1,
    settings: PLANNED_BY_SIZE,
  })
  try {
    const { error } = await migratorOf(database).migrateTo(options.to)
    if (error) throw error
  } finally {
    await database.destroy()
  }
}
