import { setTimeout as pause } from 'node:timers/promises'
import { type RawBuilder, sql, type Transaction } from 'kysely'
import type { Database } from '../../database/connect.ts'
import { unlessSetBack } from '../../database/expressions.ts'
import type { Schema } from '../../database/schema/schema.ts'
import { readHold } from './back-off.ts'

// How much may be asked of Daraja. Nobody outside knows the limits, which are agreed for each shortcode, so ours are
// settings; and they hold for the account, however many replicas work for it. So the buckets are rows: whoever takes
// duties locks its bucket's row for its transaction, takes no more than the bucket allows, and writes down what it
// took.

/** The kinds of calls that have a bucket of their own; Pull Transactions draw on that of the query. */
export type BudgetedCall = 'push' | 'query'

/** A bucket: whose, for what, and how many calls a second at most; null: no limit, and then there is no row. */
export type Budget = { shortcode: string; call: BudgetedCall; perSecond: number | null }

/** What may be asked now. */
export type Allowance = {
  calls: number
  /** When the next call will be allowed, ms from now; 0 when one is. */
  nextInMs: number
}

/**
 * How a rate becomes a bucket: `burst` calls at once, refilled one every `intervalMs`. In no second more than the rate
 * go out, even when a process stalls between taking a burst and sending it: what refills in a second and two bursts,
 * one of them late, make up the rate together. Below 2 a second a call is at least twice as far from the next as it
 * need be.
 */
export const toBucket = (perSecond: number): { burst: number; intervalMs: number } => {
  const burst = 1 + Math.floor(perSecond / 20)
  return { burst, intervalMs: 1000 / Math.max(perSecond - 2 * burst + 1, perSecond / 2) }
}

/** When the bucket is empty again: now, or ahead by an interval for each call that was taken. */
const LEVEL = sql`greatest(${unlessSetBack(sql.ref('next_at'))}, now())`

const AHEAD_MS = sql`(extract(epoch FROM ${LEVEL} - now()) * 1000)::float8`

/** What is read of a bucket: how far its level is ahead, ms, and how many calls it allows now. */
export type BucketRow = { ahead_ms: number; calls: number }

/**
 * A query that locks the bucket until the transaction ends, so that no other replica takes the same, and reads what it
 * allows, as a `BucketRow`; no row where there is no bucket yet. What is taken is spent in the same transaction.
 */
export const lockBucket = ({ shortcode, call, perSecond }: Budget): RawBuilder<BucketRow> => {
  if (perSecond === null) return sql`SELECT 0::float8 AS ahead_ms, 'infinity'::float8 AS calls`
  const { burst, intervalMs } = toBucket(perSecond)
  // A millionth, for what was written as a sum of intervals is not read back as exactly that. Not below none: a
  // transaction that waited for the bucket has a `now()` before the one of whoever emptied it.
  return sql`
    SELECT ${AHEAD_MS} AS ahead_ms,
      greatest(0, floor(${burst}::float8 - greatest(0, ${AHEAD_MS}) / ${intervalMs}::float8 + 1e-6)) AS calls
    FROM daraja_budgets WHERE shortcode = ${shortcode} AND call = ${call} FOR UPDATE
  `
}

/** A statement that takes from a bucket, which is locked, as many calls as the row `spent` of a WITH says. */
export const spendFrom = ({ shortcode, call, perSecond }: Budget): RawBuilder<unknown> =>
  perSecond === null
    ? sql`SELECT`
    : sql`
        UPDATE daraja_budgets
        SET next_at = ${LEVEL} + make_interval(secs => spent.calls * ${toBucket(perSecond).intervalMs / 1000}::float8)
        FROM spent WHERE shortcode = ${shortcode} AND call = ${call} AND spent.calls > 0
      `

/** Makes a bucket, full, where there is none. */
export const makeBucket = async (database: Database, { shortcode, call }: Budget): Promise<void> => {
  await database
    .insertInto('daraja_budgets')
    .values({ shortcode, call })
    .onConflict((conflict) => conflict.doNothing())
    .execute()
}

/** What a locked bucket allows. Pure. */
export const toAllowance = ({ perSecond }: Budget, row: BucketRow): Allowance => {
  if (perSecond === null || row.calls > 0) return { calls: row.calls, nextInMs: 0 }
  const { burst, intervalMs } = toBucket(perSecond)
  return { calls: 0, nextInMs: Math.ceil(Math.max(0, row.ahead_ms) - (burst - 1) * intervalMs) }
}

/** What the bucket allows now: call it before duties are taken, and `spend` in the same transaction. */
export const readAllowance = async (transaction: Transaction<Schema>, budget: Budget): Promise<Allowance> => {
  for (;;) {
    const { rows } = await lockBucket(budget).execute(transaction)
    if (rows[0]) return toAllowance(budget, rows[0])
    await makeBucket(transaction, budget)
  }
}

/** Takes `calls` from the bucket that `readAllowance` locked. */
export const spend = async (
  transaction: Transaction<Schema>,
  budget: Budget,
  calls: number,
): Promise<void> => {
  if (budget.perSecond === null || calls === 0) return
  await sql`WITH spent AS (SELECT ${calls}::integer AS calls) ${spendFrom(budget)}`.execute(transaction)
}

/** The longest pause between two looks at the budget, ms. */
const MAX_PAUSE_MS = 500

/**
 * Waits until one call may be made, and takes it from the bucket; resolves with false, and takes none, once `signal`
 * says so.
 */
export const waitForCall = async (
  database: Database,
  budget: Budget,
  signal: AbortSignal,
): Promise<boolean> => {
  while (!signal.aborted) {
    const waitMs = await takeCall(database, budget)
    if (waitMs === 0) return true
    await pause(Math.min(waitMs, MAX_PAUSE_MS), undefined, { signal }).catch(() => undefined)
  }
  return false
}

/** How long to wait, ms; 0: the call was taken. */
const takeCall = (database: Database, budget: Budget): Promise<number> =>
  database.transaction().execute(async (transaction) => {
    const hold = await readHold(transaction, budget.shortcode)
    if (hold.forMs > 0) return hold.forMs
    const allowance = await readAllowance(transaction, budget)
    if (allowance.calls < 1) return Math.max(allowance.nextInMs, 1)
    await spend(transaction, budget, 1)
    return 0
  })

/** How long to wait at least for the budget to refill, ms: a transaction for every single call would be many. */
const MIN_REFILL_MS = 20

/** When to look again, ms: 0 unless it was the budget that ended the taking. */
export const nextInMs = (
  allowance: Allowance,
  { allowed, limit, taken }: { allowed: number; limit: number; taken: number },
): number => (allowed < limit && taken >= allowed ? Math.max(allowance.nextInMs, MIN_REFILL_MS) : 0)
