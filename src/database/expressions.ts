import { type RawBuilder, sql } from 'kysely'

// What statements say in more than one place.

/** When the transaction began, by the clock of Postgres. */
export const now = sql<Date>`now()`

/** `afterMs` after that, ms. */
export const fromNow = (afterMs: number): RawBuilder<Date> =>
  sql<Date>`now() + make_interval(secs => ${afterMs / 1000})`

/** True where an instant is ahead, or there is none: of what has not expired, or never does. */
export const isNotOver = (
  expiry: 'api_keys.expires_at' | 'signing_secrets.expires_at',
): RawBuilder<boolean> => sql<boolean>`(${sql.ref(expiry)} IS NULL OR ${sql.ref(expiry)} > now())`
