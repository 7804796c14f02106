import { DatabaseError } from 'pg'

/**
 * SQLSTATE classes and codes of trouble that passes: connection, resources, operator's stop, deadlock, serialisation, a
 * transaction that stood still or a statement that ran for too long.
 */
const PASSING_CODES = /^(08|53|57P|57014|40001|40P01|25P03)/

/** What `pg` and Node say of connections that cannot be had or break. */
const PASSING_MESSAGES =
  /connection terminated|timeout exceeded when trying to connect|client has encountered a connection error|client was closed and is not queryable/i

const PASSING_SYSTEM_CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
])

/**
 * True when an error says that Postgres is away or too busy for the moment, as opposed to a defect of ours: the same call
 * may succeed later. Whether a commit that failed this way took place is unknown.
 */
export const isOutage = (error: unknown): boolean => {
  if (error instanceof AggregateError) return error.errors.some(isOutage)
  if (error instanceof DatabaseError) return PASSING_CODES.test(error.code ?? '')
  if (!(error instanceof Error)) return false
  return (
    PASSING_SYSTEM_CODES.has('code' in error ? String(error.code) : '') ||
    PASSING_MESSAGES.test(error.message)
  )
}
