import { DatabaseError } from 'pg'

/**
 * SQLSTATE classes and codes with which Postgres ends a statement that may succeed later: connection, resources, an
 * operator's stop, the server's disk, deadlock, serialisation, a transaction or statement that took too long, and a
 * session that may only read. https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
const PASSING_CODES = /^(08|53|57P|58|57014|40001|40P01|25P03|25P04|25006)/

const READ_ONLY = '25006'

/** SQLSTATE of a prepared statement that the session does not have, and of what the server cannot do. */
const NOT_PREPARED = '26000'
const NOT_SUPPORTED = '0A000'

/**
 * The function of Postgres that refuses a prepared statement whose result has other columns by now. Its SQLSTATE is
 * shared with a hundred other refusals and its message is translated; the name of the function is neither, and it is
 * what pgjdbc goes by too (QueryExecutorBase, `willHealViaReparse`).
 */
const PLAN_CHECK = 'RevalidateCachedQuery'

/**
 * No connection to Postgres could be had, or the one in use was lost: by where it happened, not by what the error says.
 * Of the errors of `pg` only those of the server have a code; that a connection is gone stands in English texts alone
 * ("Connection terminated unexpectedly", pg 8.23, lib/client.js). So those who connect and send (`lend-connections.ts`,
 * `send-statement.ts`) throw this.
 */
export class DatabaseUnavailable extends Error {
  override name = 'DatabaseUnavailable'
  /** The SQLSTATE or the system's code (ECONNREFUSED), where the cause has one. */
  readonly code: string | undefined

  constructor(cause: unknown) {
    super(messageOf(cause), { cause })
    this.code = codeOf(cause)
  }
}

/** Several addresses were tried: Node's error then has no message of its own, but one for each. */
const messageOf = (cause: unknown): string => {
  if (cause instanceof AggregateError) return cause.errors.map(messageOf).join(', ')
  return cause instanceof Error ? cause.message : String(cause)
}

const codeOf = (cause: unknown): string | undefined =>
  cause instanceof Error && 'code' in cause && typeof cause.code === 'string' ? cause.code : undefined

/**
 * A connection was refused by us, for its session may only read: the side of a fail-over that was left, or not yet
 * reached.
 */
export class DatabaseReadOnly extends Error {
  override name = 'DatabaseReadOnly'
  override message = 'the database is read-only: a standby, or default_transaction_read_only is on'
  readonly code = READ_ONLY
}

/**
 * The one place that decides what an outage is: Postgres is away, read-only or too busy for the moment, as opposed to a
 * defect of ours, and the same call may succeed later. Whether a commit that failed this way took place is unknown.
 */
export const isOutage = (error: unknown): boolean =>
  error instanceof DatabaseUnavailable ||
  (error instanceof DatabaseError && (PASSING_CODES.test(error.code ?? '') || isPlanOutdated(error)))

/** True when a statement failed for its session may only read, now or for ever. */
export const isReadOnly = (error: DatabaseError): boolean => error.code === READ_ONLY

/**
 * True when a prepared statement failed before any of it ran, for it has to be prepared anew: the columns of its result
 * have changed, or the server has forgotten it.
 */
export const isPlanOutdated = (error: DatabaseError): boolean =>
  error.code === NOT_PREPARED || (error.code === NOT_SUPPORTED && error.routine === PLAN_CHECK)

/** SQLSTATE class of data exceptions: a value is too large, malformed, of the wrong kind. */
const DATA_EXCEPTION = /^22/

/**
 * True when the processed data causes an error, so that it fails the same each time: our own code threw over
 * it, or Postgres refuses a value. False for whatever else Postgres refuses, such as a row whose partition is missing.
 */
export const isOfItsContent = (error: unknown): boolean =>
  !(error instanceof DatabaseError) || DATA_EXCEPTION.test(error.code ?? '')
