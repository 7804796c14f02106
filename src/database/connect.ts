import { createHash } from 'node:crypto'
import {
  Kysely,
  type PostgresCursor,
  PostgresDialect,
  type PostgresPool,
  type PostgresPoolClient,
  type PostgresQueryResult,
} from 'kysely'
import { Pool, type PoolClient, TypeOverrides, types } from 'pg'
import type { Log } from '../runtime/log.ts'
import type { Schema } from './schema/schema.ts'

export type Database = Kysely<Schema>

/** How many distinct statements a connection keeps prepared; further ones run unnamed. */
const MAX_NAMED_STATEMENTS = 200

/**
 * A transaction that stands still for so long belongs to a process that is stopped or cut off. Its locks, which every replica
 * may be waiting for, are worth more than what it was doing.
 */
const LONGEST_IDLE_IN_TRANSACTION = '10s'

/** From when on an idle connection is asked whether anybody is there, ms; without an answer it breaks ten seconds later. */
const KEEP_ALIVE_AFTER_MS = 10_000

/**
 * How long `serve` and `dispatch` wait for the answer to a statement, ms. Theirs take milliseconds: what has no answer by then
 * was lost in a network that says nothing, or is better begun anew.
 */
export const ANSWER_WITHIN_MS = 30_000

/** Postgres gives a statement up this much before we do, so that it works on none whose answer nobody waits for. */
const STATEMENT_SHARE = 0.8

/**
 * Opens a pool of at most `poolSize` connections. Commits are durable (`synchronous_commit = on`) whatever the server's
 * default is, for law 1 rests on it. A connection that breaks is logged and replaced; what it was doing fails. So is one that
 * gave no answer within `answerWithinMs`, where that is given: a network can swallow everything without breaking a
 * connection. Both failures count as outages.
 */
export const connectDatabase = (options: {
  databaseUrl: string
  poolSize: number
  log: Log
  /** How long a statement may take, ms; as long as it likes when left out, as migrations and an operator's commands may. */
  answerWithinMs?: number
  /** Settings of Postgres for these connections, by name. */
  settings?: Record<string, string>
}): Database => {
  const { answerWithinMs } = options
  const settings = {
    synchronous_commit: 'on',
    timezone: 'UTC',
    idle_in_transaction_session_timeout: LONGEST_IDLE_IN_TRANSACTION,
    // The trigger that does it for processes of the release before leaves ours alone.
    'mpesa_gateway.enters_receipts': 'on',
    ...(answerWithinMs !== undefined && {
      statement_timeout: `${Math.ceil(answerWithinMs * STATEMENT_SHARE)}ms`,
    }),
    ...options.settings,
  }
  const pool = new Pool({
    connectionString: options.databaseUrl,
    max: options.poolSize,
    connectionTimeoutMillis: 5_000,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_AFTER_MS,
    options: Object.entries(settings)
      .map(([name, value]) => `-c ${name}=${value}`)
      .join(' '),
    types: bigintTypes(),
  })
  // The pool listens to its idle connections only: one that breaks while in use would end the process.
  pool.on('connect', (client) =>
    client.on('error', (error) =>
      options.log.warn({ event: 'database_connection_lost', error: error.message }),
    ),
  )
  pool.on('error', () => undefined)
  return new Kysely<Schema>({ dialect: new PostgresDialect({ pool: naming(pool, answerWithinMs) }) })
}

/** bigint columns come as bigint, not as text: ids are compared and put into Protobuf messages as such. */
const bigintTypes = (): TypeOverrides => {
  const overrides = new TypeOverrides()
  overrides.setTypeParser(types.builtins.INT8, BigInt)
  return overrides
}

/**
 * The pool, running every statement that has parameters under a name derived from its text, so that a connection parses and
 * plans it once. Kysely has no notion of named statements; naming is worth 24 % on one-row inserts.
 */
const naming = (pool: Pool, answerWithinMs: number | undefined): PostgresPool => {
  const names = new Map<string, string>()
  const nameOf = (text: string): string | undefined => {
    const known = names.get(text)
    if (known !== undefined || names.size >= MAX_NAMED_STATEMENTS) return known
    const name = createHash('sha256').update(text).digest('hex').slice(0, 32)
    names.set(text, name)
    return name
  }
  return {
    connect: async () => namingClient(await pool.connect(), nameOf, answerWithinMs),
    end: () => pool.end(),
    options: pool.options,
  }
}

const namingClient = (
  client: PoolClient,
  nameOf: (text: string) => string | undefined,
  answerWithinMs: number | undefined,
): PostgresPoolClient => {
  function query<Row>(text: string, values: readonly unknown[]): Promise<PostgresQueryResult<Row>>
  function query<Row>(cursor: PostgresCursor<Row>): PostgresCursor<Row>
  function query(text: unknown, values: readonly unknown[] = []): unknown {
    if (typeof text !== 'string') throw new TypeError('cursors are not supported')
    const name = values.length > 0 ? nameOf(text) : undefined
    const answer = client.query({ ...(name !== undefined && { name }), text, values: [...values] })
    return answerWithinMs === undefined ? answer : endSilence(client, answer, answerWithinMs)
  }
  return { query, release: (destroy) => client.release(destroy) }
}

/** Ends the connection when the answer does not come in time, so that it fails as one that broke; the pool replaces it. */
const endSilence = async <Answer>(
  client: PoolClient,
  answer: Promise<Answer>,
  withinMs: number,
): Promise<Answer> => {
  const timer = setTimeout(() => void client.end(), withinMs)
  try {
    return await answer
  } finally {
    clearTimeout(timer)
  }
}
