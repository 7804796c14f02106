import { Kysely, PostgresDialect, type PostgresPoolClient, sql } from 'kysely'
import { Pool, TypeOverrides, types } from 'pg'
import type { Log } from '../runtime/log.ts'
import { readDatabaseUrl } from './database-url.ts'
import { lendConnections } from './lend-connections.ts'
import { PLANNED_BY_INDEX } from './plan-settings.ts'
import type { Schema } from './schema/schema.ts'

export type Database = Kysely<Schema>

/**
 * A transaction that stands still for so long belongs to a process that is stopped or cut off. Its locks, which every
 * replica may be waiting for, are worth more than what it was doing.
 */
const LONGEST_IDLE_IN_TRANSACTION = '10s'

/**
 * From when on an idle connection is asked whether anybody is there, ms; without an answer it breaks ten seconds later.
 */
const KEEP_ALIVE_AFTER_MS = 10_000

/**
 * How long `serve` and `dispatch` wait for the answer to a statement, ms. Theirs take milliseconds: what has no answer
 * by then was lost in a network that says nothing, or is better begun anew.
 */
export const ANSWER_WITHIN_MS = 30_000

/** Postgres gives a statement up this much before we do, so that it works on none whose answer nobody waits for. */
const STATEMENT_SHARE = 0.8

/**
 * Opens a pool of at most `poolSize` connections. Commits are durable (`synchronous_commit = on`) whatever the server's
 * default is, for law 1 rests on it. A connection that breaks is logged and replaced; what it was doing fails. So is
 * one that gave no answer within `answerWithinMs`, where that is given: a network can swallow everything without
 * breaking a connection. Both failures count as outages.
 */
export const connectDatabase = (options: {
  databaseUrl: string
  poolSize: number
  log: Log
  /**
   * How long a statement may take, ms; as long as it likes when left out, as migrations and an operator's commands may.
   */
  answerWithinMs?: number
  /**
   * True: a connection whose session may only read is refused, as one that cannot be had. What reads a standby, or a
   * primary that was fenced, may be answered from a state that another process has gone beyond.
   */
  mustWrite?: boolean
  /** Settings of Postgres for these connections, by name; where they say nothing of plans, `PLANNED_BY_INDEX`. */
  settings?: Record<string, string>
  /** Called with each new connection, before anything else is done on it; one for which it rejects is not used. */
  onConnect?: (connection: Database) => Promise<void>
}): Database => {
  const { answerWithinMs, onConnect } = options
  const settings = {
    // By which operators know whose connection it is, and migrations whom they need not make connect anew.
    application_name: 'mpesa-gateway',
    synchronous_commit: 'on',
    timezone: 'UTC',
    // Whatever the database, or the role, has for all its sessions: texts of instants, of lists and of SQL are read in one
    // way, statements see what was committed before them, and how long one takes, its waits included, is bounded below.
    datestyle: 'ISO',
    standard_conforming_strings: 'on',
    array_nulls: 'on',
    default_transaction_isolation: 'read committed',
    lock_timeout: '0',
    // Statements take milliseconds, and compiling one takes tens to hundreds. Postgres compiles what it thinks is
    // expensive, such as each scan of a small table under `enable_seqscan = off`.
    jit: 'off',
    ...PLANNED_BY_INDEX,
    idle_in_transaction_session_timeout: LONGEST_IDLE_IN_TRANSACTION,
    // The trigger that does it for processes of the release before leaves ours alone.
    'mpesa_gateway.enters_receipts': 'on',
    statement_timeout:
      answerWithinMs === undefined ? '0' : `${Math.ceil(answerWithinMs * STATEMENT_SHARE)}ms`,
    ...options.settings,
  }
  const given = readDatabaseUrl(options.databaseUrl)
  const pool = new Pool({
    connectionString: given.connectionString,
    max: options.poolSize,
    connectionTimeoutMillis: 5_000,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_AFTER_MS,
    options: [given.options, ...Object.entries(settings).map(toOption)].join(' ').trim(),
    types: bigintTypes(),
  })
  // The pool listens to its idle connections only: one that breaks while in use would end the process.
  pool.on('connect', (client) =>
    client.on('error', (error) =>
      options.log.warn({ event: 'database_connection_lost', error: error.message }),
    ),
  )
  pool.on('error', () => undefined)
  const { log, mustWrite = false } = options
  const look = onConnect && ((client: PostgresPoolClient) => onConnect(alone(client)))
  const lent = lendConnections({ pool, answerWithinMs, mustWrite, log, ...(look && { look }) })
  return new Kysely<Schema>({ dialect: new PostgresDialect({ pool: lent }) })
}

const toOption = ([name, value]: [string, string]): string => `-c ${name}=${value.replaceAll(' ', '\\ ')}`

/** A database that is this one connection. */
const alone = (client: PostgresPoolClient): Database => {
  const pool = { connect: () => Promise.resolve(client), end: () => Promise.resolve(), options: {} }
  return new Kysely<Schema>({ dialect: new PostgresDialect({ pool }) })
}

/** bigint columns come as bigint, not as text: ids are compared and put into Protobuf messages as such. */
const bigintTypes = (): TypeOverrides => {
  const overrides = new TypeOverrides()
  overrides.setTypeParser(types.builtins.INT8, BigInt)
  return overrides
}

/**
 * Warns loudly when the server could lose what it called committed: with `fsync` or `full_page_writes` off, a crash of
 * its machine breaks law 1 whatever we do.
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
