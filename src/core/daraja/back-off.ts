import { type RawBuilder, sql } from 'kysely'
import type { Database } from '../../database/connect.ts'
import { unlessSetBack } from '../../database/expressions.ts'
import { isOutage } from '../../database/outage.ts'
import type { Log } from '../../runtime/log.ts'
import type { CoreMetrics } from '../metrics.ts'

// An account that Daraja refused as a whole (spike arrest, quota, no connection, no token) is left alone for a
// while, by all replicas: going on with other payments would only make Daraja throttle for longer. Payments that wait
// meanwhile keep their submit-by deadline.

/** The longest hold, ms: short enough for several tries before a payment's submit-by deadline. */
const MAX_HOLD_MS = 30_000

/** So long after a hold the account counts as recovered, seconds. */
const RECOVERED_AFTER_SECONDS = 60

/** When the account may be asked again, by the clock of now. */
export const HELD_UNTIL = unlessSetBack(sql.ref('daraja_accounts.held_until'))

const isRecent = sql`${HELD_UNTIL} > now() - make_interval(secs => ${RECOVERED_AFTER_SECONDS})`

/** Whether an account is held. */
export type Hold = {
  /** For how long still, ms; 0: it is not held. */
  forMs: number
  /** How many holds in a row it has behind it, the present one included; 0 when the last was a minute ago. */
  recentHolds: number
}

/** What is read of a hold. */
export type HoldRow = { for_ms: number; recent_holds: number }

/** A query for whether the account may be asked anything now: always one row, a `HoldRow`. */
export const selectHold = (shortcode: string): RawBuilder<HoldRow> => sql`
  SELECT coalesce(max(extract(epoch FROM greatest(${HELD_UNTIL}, now()) - now()) * 1000), 0)::float8 AS for_ms,
    coalesce(max(CASE WHEN ${isRecent} THEN holds END), 0) AS recent_holds
  FROM daraja_accounts WHERE shortcode = ${shortcode}
`

/** Whether the account is held. Pure. */
export const toHold = (row: HoldRow): Hold => ({
  forMs: Math.ceil(row.for_ms),
  recentHolds: row.recent_holds,
})

/** Reads whether the account may be asked anything now. */
export const readHold = async (database: Database, shortcode: string): Promise<Hold> => {
  const { rows } = await selectHold(shortcode).execute(database)
  return toHold(rows[0] ?? { for_ms: 0, recent_holds: 0 })
}

/**
 * Holds the account for `afterMs`, twice as long each time in a row, up to half a minute; resolves with the length in
 * ms, or null when it is held already, as it is when many calls under way are refused at once.
 */
export const holdAccount = async (
  database: Database,
  options: { shortcode: string; afterMs: number; code: string },
): Promise<number | null> => {
  const firstSeconds = options.afterMs / 1000
  const held = await database
    .insertInto('daraja_accounts')
    .values({
      shortcode: options.shortcode,
      held_until: sql`now() + make_interval(secs => ${firstSeconds})`,
      holds: 1,
      held_since: sql`now()`,
      held_code: options.code,
    })
    .onConflict((conflict) =>
      conflict
        .column('shortcode')
        .doUpdateSet({
          held_code: options.code,
          holds: sql`CASE WHEN ${isRecent} THEN daraja_accounts.holds + 1 ELSE 1 END`,
          held_since: sql`CASE WHEN ${isRecent} THEN coalesce(daraja_accounts.held_since, now()) ELSE now() END`,
          held_until: sql`now() + make_interval(secs => least(
            ${firstSeconds}::float8 * CASE WHEN ${isRecent} THEN power(2, least(daraja_accounts.holds, 10)) ELSE 1 END,
            ${MAX_HOLD_MS / 1000}::float8
          ))`,
        })
        .where(HELD_UNTIL, '<=', sql<Date>`now()`),
    )
    .returning(sql<number>`(extract(epoch FROM held_until - now()) * 1000)::float8`.as('for_ms'))
    .executeTakeFirst()
  return held ? Math.round(held.for_ms) : null
}

/** An answer by which Daraja turned something away for the time being. */
export type RetryLater = { code: string; afterMs: number; concerns: 'this_payer' | 'whole_account' }

/**
 * Leaves the whole account alone for a while when it was the account that was refused, for all replicas. While
 * Postgres is away nothing is recorded: nothing can be taken then either.
 */
export const backOff = async (
  options: { database: Database; shortcode: string; log: Log; metrics: CoreMetrics },
  answer: RetryLater,
): Promise<void> => {
  if (answer.concerns !== 'whole_account') return
  const { database, shortcode, log, metrics } = options
  const forMs = await holdAccount(database, { shortcode, afterMs: answer.afterMs, code: answer.code }).catch(
    (error: unknown) => {
      if (isOutage(error)) return null
      throw error
    },
  )
  if (forMs === null) return
  metrics.heldOff()
  log.warn({ event: 'daraja_held_off', shortcode, code: answer.code, for_ms: forMs })
}
