import { DatabaseError } from 'pg'

/** SQLSTATE class of data exceptions: a value is too large, malformed, of the wrong kind. */
const DATA_EXCEPTION = /^22/

/**
 * True when what is worked at is to blame for an error, so that it fails the same each time: our own code threw over it, or
 * Postgres refuses a value. False for whatever else Postgres refuses, such as a row whose partition is missing.
 */
export const isOfItsContent = (error: unknown): boolean =>
  !(error instanceof DatabaseError) || DATA_EXCEPTION.test(error.code ?? '')
