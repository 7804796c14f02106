import { sql } from 'kysely'
import { type Migration, type MigrationResult, Migrator, NO_MIGRATIONS } from 'kysely/migration'
import { DatabaseError } from 'pg'
import type { Log } from '../runtime/log.ts'
import { handOverOrWarn } from './application-role.ts'
import { areIndexesBuilt, buildIndexes } from './build-indexes.ts'
import { connectDatabase, type Database } from './connect.ts'
import { raiseEventBase } from './event-base.ts'
import * as partners from './migrations/001-partners.ts'
import * as payments from './migrations/002-payments.ts'
import * as callbacks from './migrations/003-callbacks.ts'
import * as deliveries from './migrations/004-deliveries.ts'
import * as truth from './migrations/005-truth.ts'
import * as endpoints from './migrations/006-endpoints.ts'
import * as findDeliveries from './migrations/007-find-deliveries.ts'
import * as signing from './migrations/008-signing.ts'
import * as keys from './migrations/009-keys.ts'
import * as accounts from './migrations/010-accounts.ts'
import * as audit from './migrations/011-audit.ts'
import * as limits from './migrations/012-limits.ts'
import * as evidence from './migrations/013-evidence.ts'
import * as epochs from './migrations/014-epochs.ts'
import * as edges from './migrations/016-edges.ts'
import * as reconnect from './migrations/017-reconnect.ts'
import * as findPayments from './migrations/018-find-payments.ts'
import * as partnersAct from './migrations/019-partners-act.ts'
import * as rehearsal from './migrations/020-rehearsal.ts'
import * as events from './migrations/021-events.ts'
import * as duties from './migrations/023-duties.ts'
import * as roomForVersions from './migrations/024-room-for-versions.ts'
import * as operators from './migrations/025-operators.ts'
import * as situation from './migrations/026-situation.ts'
import * as exceptions from './migrations/027-exceptions.ts'
import * as signals from './migrations/028-signals.ts'
import * as statements from './migrations/029-statements.ts'
import * as approvals from './migrations/030-approvals.ts'
import * as approvalsWaiting from './migrations/031-approvals-waiting.ts'
import * as findFailed from './migrations/032-find-failed.ts'
import * as dailyTotals from './migrations/033-daily-totals.ts'
import * as statementCounts from './migrations/034-statement-counts.ts'
import * as deadByEndpoint from './migrations/035-dead-by-endpoint.ts'
import { ensurePartitions } from './partitions.ts'
import { PLANNED_BY_SIZE } from './plan-settings.ts'

/** In the order they run: Kysely sorts by name. */
const MIGRATIONS: Record<string, Migration> = {
  '001-partners': partners,
  '002-payments': payments,
  '003-callbacks': callbacks,
  '004-deliveries': deliveries,
  '005-truth': truth,
  '006-endpoints': endpoints,
  '007-find-deliveries': findDeliveries,
  '008-signing': signing,
  '009-keys': keys,
  '010-accounts': accounts,
  '011-audit': audit,
  '012-limits': limits,
  '013-evidence': evidence,
  '014-epochs': epochs,
  '016-edges': edges,
  '017-reconnect': reconnect,
  '018-find-payments': findPayments,
  '019-partners-act': partnersAct,
  '020-rehearsal': rehearsal,
  '021-events': events,
  '023-duties': duties,
  '024-room-for-versions': roomForVersions,
  '025-operators': operators,
  '027-exceptions': exceptions,
  '029-statements': statements,
  '030-approvals': approvals,
  '031-approvals-waiting': approvalsWaiting,
  '032-find-failed': findFailed,
  '033-daily-totals': dailyTotals,
  '034-statement-counts': statementCounts,
  '035-dead-by-endpoint': deadByEndpoint,
  '028-signals': signals,
  '026-situation': situation,
}

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
    const results = (await isOfLaterRelease(database)) ? [] : await runMigrations(database)
    if (results.length > 0) await reportOldConnections(database, startedAt, options.log)
    await ensurePartitions(database)
    await buildIndexes(database, options.log)
    await raiseEventBase(database, options.log)
    await handOverOrWarn(database, options.log)
    return results.map((result) => result.migrationName)
  } finally {
    await database.destroy()
  }
}

/** How often migrations begin at most that Postgres ends for a deadlock with what runs beside them: nothing is left of one. */
const MOST_TRIES = 5

const runMigrations = async (database: Database): Promise<MigrationResult[]> => {
  for (let tries = 1; ; tries += 1) {
    const { error, results = [] } = await migratorOf(database).migrateToLatest()
    if (!error) return results
    if (!isDeadlock(error) || tries === MOST_TRIES) throw error
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
  if (!(await haveMigrationsRun(database))) return false
  const { rows } = await sql<{ name: string }>`SELECT name FROM kysely_migration`.execute(database)
  return rows.some(({ name }) => !(name in MIGRATIONS))
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

/**
 * True when every migration of this release has run, and the indexes are built: what `serve` and `dispatch` need before
 * they start.
 */
export const isMigrated = async (database: Database): Promise<boolean> =>
  (await haveMigrationsRun(database)) && (await areIndexesBuilt(database))

const haveMigrationsRun = async (database: Database): Promise<boolean> => {
  const migrations = await migratorOf(database).getMigrations()
  return migrations.every((migration) => migration.executedAt !== undefined)
}
