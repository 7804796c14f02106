import { createHash } from 'node:crypto'
import type { PostgresCursor, PostgresPool, PostgresPoolClient, PostgresQueryResult } from 'kysely'
import { Client, DatabaseError, type Pool, type PoolClient, type QueryResult } from 'pg'
import type { Log } from '../runtime/log.ts'
import { DatabaseReadOnly, DatabaseUnavailable, isPlanOutdated, isReadOnly } from './outage.ts'
import { createSend, type Send } from './send-statement.ts'

/** Why connections that work are replaced: what they would answer from now on is of no use. */
type Reason = 'read_only' | 'plans_outdated'

/**
 * The pool as Kysely uses it: runs what has parameters as prepared statements, and keeps no connection that is of no
 * use.
 *
 * All are replaced, each when nobody uses it, once a statement on one of them fails for its session may only read (a
 * fenced primary, a setting: such a session stays so after the cause has gone), or for its plan is outdated (the others
 * have prepared it too). A statement outside a transaction whose plan is outdated runs again at once, for none of it
 * ran; one inside has failed its transaction, as an outage. With `mustWrite` a new connection whose session may only
 * read is refused, and so is one for which `look` rejects.
 */
export const lendConnections = (options: {
  pool: Pool
  answerWithinMs: number | undefined
  mustWrite: boolean
  /** Looks at a new connection before anybody uses it; it is not the looker's to give back. */
  look?: (connection: PostgresPoolClient) => Promise<void>
  log: Log
}): PostgresPool => {
  const { pool } = options
  const nameOf = createStatementNames()
  const send = createSend(options)
  const generations = createGenerations(options)

  const run = async (client: PoolClient, text: string, values: readonly unknown[]): Promise<QueryResult> => {
    const isAlone = client.getTransactionStatus() === 'I'
    const name = values.length > 0 ? nameOf(text) : undefined
    try {
      return await send(client, { ...(name !== undefined && { name }), text, values })
    } catch (error) {
      if (!(error instanceof DatabaseError)) throw error
      if (isReadOnly(error)) generations.end(client, 'read_only')
      if (!isPlanOutdated(error)) throw error
      generations.end(client, 'plans_outdated')
      if (!isAlone) throw error
      return send(client, { text, values })
    }
  }

  const connect = async (): Promise<PostgresPoolClient> => {
    for (;;) {
      const client = await pool.connect().catch((error: unknown) => {
        throw pool.ending ? error : new DatabaseUnavailable(error)
      })
      if (generations.add(client)) await tryNew(client)
      if (generations.isCurrent(client)) return lend(client)
      client.release(true)
    }
  }

  /** Closes a new connection that may not be used, and rejects with an outage. */
  const tryNew = async (client: PoolClient): Promise<void> => {
    try {
      await prepare(client, send, options)
      const looked = { ...lend(client), release: () => undefined }
      await options.look?.(looked)
    } catch (error) {
      client.release(true)
      throw error instanceof DatabaseUnavailable ? error : new DatabaseUnavailable(error)
    }
  }

  const lend = (client: PoolClient): PostgresPoolClient => {
    function query<Row>(text: string, values: readonly unknown[]): Promise<PostgresQueryResult<Row>>
    function query<Row>(cursor: PostgresCursor<Row>): PostgresCursor<Row>
    function query(text: unknown, values: readonly unknown[] = []): unknown {
      if (typeof text !== 'string') throw new TypeError('cursors are not supported')
      return run(client, text, values)
    }
    return {
      query,
      release: (destroy) => client.release(destroy || !generations.isCurrent(client)),
      // By which a statement on this connection is cancelled from another one.
      ...('processID' in client && typeof client.processID === 'number' && { processID: client.processID }),
    }
  }

  return { connect, end: () => pool.end(), options: pool.options, Client }
}

/** Which connections may still be used: those that were opened after the last ones were given up. */
const createGenerations = ({ log, mustWrite }: { log: Log; mustWrite: boolean }) => {
  const bornIn = new WeakMap<PoolClient, number>()
  let current = 0
  const isCurrent = (client: PoolClient): boolean => bornIn.get(client) === current
  return {
    isCurrent,
    /** True when the connection is new. */
    add: (client: PoolClient): boolean => {
      if (bornIn.has(client)) return false
      bornIn.set(client, current)
      return true
    },
    /** Gives up all connections of the generation of `client`, where that has not been done. */
    end: (client: PoolClient, reason: Reason): void => {
      if (!isCurrent(client)) return
      current += 1
      // A command that cannot write ends with that error, and says it in its own words.
      if (mustWrite) log.warn({ event: 'database_connections_replaced', reason })
    },
  }
}

/**
 * Takes from a new connection the bound that the database, or the role, has for transactions: whole ones would be ended, as
 * the import of a statement. Postgres has it since its release 17, and refuses connections that ask for it before. Rejects
 * when its session may only read, where it must write.
 */
const prepare = async (
  client: PoolClient,
  send: Send,
  { mustWrite }: { mustWrite: boolean },
): Promise<void> => {
  const { rows } = await send(client, { text: LOOK_AT_SESSION, values: [] })
  if (mustWrite && rows[0]?.is_read_only === 'on') throw new DatabaseReadOnly()
}

const LOOK_AT_SESSION = `
  SELECT current_setting('transaction_read_only') AS is_read_only, (
    SELECT set_config(name, '0', false) FROM pg_settings WHERE name = 'transaction_timeout' AND setting <> '0'
  )
`

/** How many distinct statements a connection keeps prepared; further ones run unnamed. */
const MAX_NAMED_STATEMENTS = 200

/** The name under which a statement is prepared; undefined: it runs unnamed. */
type NameOf = (text: string) => string | undefined

/**
 * Names every statement after its text, so that a connection parses and plans it once. Kysely has no notion of named
 * statements; naming is worth 24 % on one-row inserts.
 */
const createStatementNames = (): NameOf => {
  const names = new Map<string, string>()
  return (text) => {
    const known = names.get(text)
    if (known !== undefined || names.size >= MAX_NAMED_STATEMENTS) return known
    const name = createHash('sha256').update(text).digest('hex').slice(0, 32)
    names.set(text, name)
    return name
  }
}
