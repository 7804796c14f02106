import { type RawBuilder, sql } from 'kysely'

// What statements say in more than one place.

/** When the transaction began, by the clock of Postgres. */
export const now = sql<Date>`now()`

/** `afterMs` after that, ms. */
export const fromNow = (afterMs: number): RawBuilder<Date> =>
  sql<Date>`now() + make_interval(secs => ${afterMs / 1000})`

/** The day that it was then in Nairobi, and when that began: days of limits are those. */
export const today = sql<Date>`(now() AT TIME ZONE 'Africa/Nairobi')::date`
export const dayBegan = sql<Date>`${today}::timestamp AT TIME ZONE 'Africa/Nairobi'`

/** Any of these ids, to compare one with: a single array, so that the text is the same for any number of them. */
export const anyOf = (ids: readonly bigint[]): RawBuilder<bigint> => sql<bigint>`any(${ids}::bigint[])`

/** Of one partner. The second part is what the index of a partner's duties asks for: see migration 023. */
export const isOfPartner = (partnerId: bigint, column: RawBuilder<unknown>): RawBuilder<boolean> =>
  sql<boolean>`${column} = ${partnerId} AND ${column} <> 0`

/** True where an instant is ahead, or there is none: of what has not expired, or never does. */
export const isNotOver = (
  expiry: 'api_keys.expires_at' | 'signing_secrets.expires_at',
): RawBuilder<boolean> => sql<boolean>`(${sql.ref(expiry)} IS NULL OR ${sql.ref(expiry)} > now())`

/**
 * To be joined to `ended`, deliveries with their `id` and `created_at`, by whoever writes a dead letter: the class of
 * error of the last attempt that finished, as `last.error_class`; null without one. The time bounds the months that are
 * looked into.
 */
export const joinLastErrorClass = sql`
  LEFT JOIN LATERAL (
    SELECT error_class FROM attempts
    WHERE delivery_id = ended.id AND started_at >= date_trunc('milliseconds', ended.created_at)
      AND finished_at IS NOT NULL
    ORDER BY number DESC LIMIT 1
  ) last ON true
`

/** More than any instant handled here is ever ahead, seconds. */
const FAR_AHEAD_SECONDS = 60

/**
 * An instant that is never written more than half a minute ahead, such as the level of a bucket, as it counts now: one
 * that is further ahead was written before the clock of Postgres was set back, as it is when another server with
 * another clock takes over, and counts as past. Else whoever waits for it would wait for as long as the clock was set
 * back.
 */
export const unlessSetBack = (instant: RawBuilder<unknown>): RawBuilder<Date> => sql<Date>`
  CASE WHEN ${instant} > clock_timestamp() + make_interval(secs => ${FAR_AHEAD_SECONDS}) THEN '-infinity'::timestamptz ELSE ${instant} END
`

/**
 * How long after its submit-by instant a prompt may still be on the phone, s; Daraja takes it back after a minute or
 * so.
 */
const PROMPT_SECONDS = 120

/**
 * Whether a row of `payments` is open, and its prompt may be on the phone or come yet. One that stays unconfirmed for
 * days keeps its payer from nothing: its prompt is long gone.
 */
export const mayBePrompted = sql<boolean>`
  state NOT IN ('successful', 'failed') AND submit_by > now() - make_interval(secs => ${sql.lit(PROMPT_SECONDS)})
`
