import { sql } from 'kysely'
import type { Database } from '../../database/connect.ts'
import type { RowOf } from '../../database/schema/schema.ts'
import { crashPoint } from '../../runtime/crash-point.ts'
import { isTestId } from '../../values/test-partner.ts'
import { type Hold, type HoldRow, selectHold, toHold } from '../daraja/back-off.ts'
import {
  type BucketRow,
  type Budget,
  lockBucket,
  makeBucket,
  nextInMs,
  spendFrom,
  toAllowance,
} from '../daraja/budget.ts'
import type { OpenAccount } from '../daraja/call.ts'
import { longestCallMs } from '../daraja/client.ts'
import type { PushOutcome } from '../daraja/stk-push.ts'
import { movingParts } from '../payments/move.ts'
import { createPushWidth } from './push-width.ts'

/** A payment that its taker, and nobody else, may now push. */
export type DuePayment = RowOf<
  'payments',
  'id' | 'msisdn' | 'amount_kes' | 'reference' | 'callback_nonce'
> & {
  /** Which taking of the payment this is: the record of another's is not this one's. */
  takes: number
}

/** What was found due. */
export type TakenPayments = {
  /** Moved to `submitting` and committed: to be pushed now. */
  toPush: DuePayment[]
  /** Those that are due and not to be pushed: too old, stopped, or left by a submitter that is gone. */
  toEnd: bigint[]
  /** True when there may be more that may be taken at once. */
  more: boolean
  /** When the account may be asked for more, ms; 0: now. */
  nextInMs: number
  hold: Hold
}

type Taking = {
  database: Database
  accountId: bigint
  /** No duty that is due and free was due before. */
  since: string
  budget: Budget
  limit: number
  leaseMs: number
  alsoOld: boolean
}

/** Payments past their deadline that are looked for at once. */
const MAX_OLD = 200

/**
 * Takes at most `limit` due payments of an account, under a lease of `leaseMs`, as far as the account's budget and hold
 * allow; with `alsoOld` those past their submit-by deadline are found too, whatever is allowed, for they prompt nobody.
 * Everything is committed when it resolves: `submitting` is durable before the first byte goes to Daraja (law 2).
 */
export const takeDuePayments = async (options: Taking): Promise<TakenPayments> => {
  for (;;) {
    const rows = await take(options)
    if (rows[0]) return toTaken(options, rows[0], rows)
    await makeBucket(options.database, options.budget)
  }
}

/** A payment that was found, if any was, beside what the account allowed. */
type FoundRow = HoldRow &
  BucketRow & { allowed: bigint; id: bigint | null } & (Omit<DuePayment, 'id'> | { takes: null })

/**
 * One statement, so one commit. No rows where the account has no bucket yet. Duties are locked first, then their
 * payments, while others lock a payment first and its duty after: so neither waits, for that would be to wait for each
 * other. Whoever has a payment locked may be settling it; else it is due the next time. Payments are looked up one by
 * one (LATERAL), from an array, which the planner takes for a short one however many are due.
 */
const take = async (options: Taking): Promise<readonly FoundRow[]> => {
  const { accountId, since, budget, limit } = options
  crashPoint('take.before_commit')
  const { rows } = await sql<FoundRow>`
    WITH hold AS MATERIALIZED (${selectHold(budget.shortcode)}),
    bucket AS MATERIALIZED (${lockBucket(budget)}),
    account AS MATERIALIZED (
      SELECT hold.*, bucket.*, CASE WHEN for_ms > 0 THEN 0 ELSE least(${limit}::integer, calls)::bigint END AS allowed
      FROM hold CROSS JOIN bucket
    ), due AS MATERIALIZED (
      SELECT payment_id, takes FROM to_submit
      WHERE account_id = ${accountId} AND due_at BETWEEN ${since} AND now() AND leased_until <= now()
        AND submit_by > now()
      ORDER BY due_at LIMIT coalesce((SELECT allowed FROM account), 0) FOR UPDATE SKIP LOCKED
    ), found AS MATERIALIZED (
      SELECT payments.id, takes + 1 AS takes, state = 'accepted' AND submit_by > now() AND NOT EXISTS (
        SELECT FROM partners WHERE partners.id = abs(payments.partner_id) AND disabled_at IS NOT NULL
      ) AS may_be_pushed
      FROM unnest(ARRAY(SELECT payment_id FROM due), ARRAY(SELECT takes FROM due)) AS given (id, takes) CROSS JOIN LATERAL (
        SELECT id, partner_id, state, submit_by FROM payments
        WHERE payments.id = given.id FOR NO KEY UPDATE SKIP LOCKED
      ) payments
    ), locked AS (
      SELECT id, takes FROM found WHERE may_be_pushed
    ), ${MOVED}, leased AS (
      UPDATE to_submit SET leased_until = now() + make_interval(secs => ${options.leaseMs / 1000}), takes = takes + 1
      WHERE payment_id = ANY (ARRAY(SELECT id FROM moved))
    ), spent AS (
      SELECT count(*) AS calls FROM moved
    ), spending AS (${spendFrom(budget)}), old AS (
      SELECT payment_id FROM to_submit
      WHERE account_id = ${accountId} AND due_at BETWEEN ${since} AND now() AND leased_until <= now()
        AND submit_by <= now()
      LIMIT ${options.alsoOld ? MAX_OLD : 0}
    )
    SELECT account.*, taken.* FROM account LEFT JOIN (
      SELECT id, msisdn, amount_kes, reference, callback_nonce, takes FROM moved
      UNION ALL SELECT id, NULL, NULL, NULL, NULL, NULL FROM found WHERE NOT may_be_pushed
      UNION ALL SELECT payment_id, NULL, NULL, NULL, NULL, NULL FROM old
    ) taken ON true
  `.execute(options.database)
  crashPoint('take.after_commit', rows.some(isToBePushed) ? 1 : 0)
  return rows
}

const MOVED = movingParts({
  from: 'accepted',
  to: 'submitting',
  cause: 'taken_for_submission',
  returning: sql`msisdn, amount_kes, reference, callback_nonce, locked.takes`,
})

const isToBePushed = (row: FoundRow): row is FoundRow & DuePayment => row.takes !== null

const toTaken = (options: Taking, account: FoundRow, rows: readonly FoundRow[]): TakenPayments => {
  const { budget, limit } = options
  const toPush = rows.filter(isToBePushed)
  const toEnd = rows.flatMap((row) => (row.id === null || row.takes !== null ? [] : [row.id]))
  const taken = toPush.length + toEnd.length
  const allowed = Number(account.allowed)
  const hold = toHold(account)
  return {
    toPush,
    toEnd,
    more: toEnd.length > 0 && taken >= Math.min(limit, MAX_OLD),
    nextInMs: hold.forMs > 0 ? hold.forMs : nextInMs(toAllowance(budget, account), { allowed, limit, taken }),
    hold,
  }
}

/** How long nothing is looked for when nothing is due, ms; and how often payments past their deadline are. */
const IDLE_MS = 500

/** What a lease is longer than the calls to Daraja may take, ms: for the record of their outcome. */
const LEASE_MARGIN_MS = 150_000

/** Takes an account's payments, as many as may be under way, when they may be. */
export type PushTaker = {
  /**
   * Takes at most `free` payments, and those past their deadline, of those that are due since `since`; null: nothing was
   * looked for, since nothing is allowed. Without an account nobody can be prompted, yet deadlines pass.
   */
  take(from: { account: OpenAccount | null; since: string; free: number }): Promise<TakenPayments | null>
  /** How long until something may be allowed again, ms. */
  waitMs(): number
  /** A push of the account is under way, was answered, and has ended. */
  started(): void
  answered(answer: { kind: PushOutcome['kind']; tookMs: number }): void
  ended(): void
}

/** Test payments of one partner that are pushed at once, at the most. */
const TEST_WIDTH = 8

type TakerOptions = {
  database: Database
  /** Pushes under way at once, at the most. */
  concurrency: number
  /** Pushes of the account, by all replicas; null: no limit. */
  pushesPerSecond: number | null
  timeoutMs: number
  nowMs: () => number
}

/** The taker of each account, made when it is first asked for. */
export const createPushTakers = (options: TakerOptions): ((accountId: bigint) => PushTaker) => {
  const takers = new Map<bigint, PushTaker>()
  return (accountId) => {
    const taker = takers.get(accountId) ?? createPushTaker(options, accountId)
    takers.set(accountId, taker)
    return taker
  }
}

/** Decides how many payments of an account are taken, and when: what is not allowed yet costs no statement. */
const createPushTaker = (options: TakerOptions, accountId: bigint): PushTaker => {
  const isTest = isTestId(accountId)
  const width = createPushWidth(isTest ? TEST_WIDTH : options.concurrency)
  let underWay = 0
  let notBeforeMs = Number.NEGATIVE_INFINITY
  let oldAtMs = Number.NEGATIVE_INFINITY

  const take: PushTaker['take'] = async ({ account, since, free }) => {
    const nowMs = options.nowMs()
    const alsoOld = nowMs >= oldAtMs
    const isAllowed = account !== null && nowMs >= notBeforeMs
    const limit = isAllowed ? Math.max(Math.min(width.now() - underWay, free), 0) : 0
    if (limit === 0 && !alsoOld) return null
    const taken = await takeDuePayments({
      database: options.database,
      accountId,
      since,
      budget: budgetOf(account, isTest ? null : options.pushesPerSecond),
      limit,
      leaseMs: longestCallMs(options.timeoutMs) + LEASE_MARGIN_MS,
      alsoOld,
    })
    if (alsoOld) oldAtMs = nowMs + IDLE_MS
    if (limit > 0) notBeforeMs = options.nowMs() + taken.nextInMs
    width.held(taken.hold.recentHolds)
    return taken
  }

  return {
    take,
    waitMs: () => Math.min(Math.max(notBeforeMs - options.nowMs(), 0) || IDLE_MS, IDLE_MS),
    started: () => {
      underWay += 1
      width.sent()
    },
    answered: ({ kind, tookMs }) => width.answered({ kind: ANSWERS[kind], tookMs }),
    ended: () => {
      underWay -= 1
    },
  }
}

/** What the outcome of a push says of how Daraja bears them. */
const ANSWERS = { accepted: 'good', refused: 'good', unknown: 'unknown', later: 'turned_away' } as const

const budgetOf = (account: OpenAccount | null, perSecond: number | null): Budget =>
  account === null
    ? { shortcode: '', call: 'push', perSecond: null }
    : { shortcode: account.daraja.account.shortcode, call: 'push', perSecond }
