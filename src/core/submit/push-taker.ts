import type { Database } from '../../database/connect.ts'
import type { Budget } from '../daraja/budget.ts'
import type { OpenAccount } from '../daraja/call.ts'
import { longestCallMs } from '../daraja/client.ts'
import type { PushOutcome } from '../daraja/stk-push.ts'
import { createPushWidth } from './push-width.ts'
import { type TakenPayments, takeDuePayments } from './take-due-payments.ts'

/** How long nothing is looked for when nothing is due, ms; and how often payments past their deadline are. */
const IDLE_MS = 500

/** What a lease is longer than the calls to Daraja may take, ms: for the record of their outcome. */
const LEASE_MARGIN_MS = 150_000

/** Takes an account's payments, as many as may be under way, when they may be. */
export type PushTaker = {
  /**
   * Takes at most `free` payments, and those past their deadline; null: nothing was looked for, since nothing is
   * allowed. Without an account nobody can be prompted, yet deadlines pass.
   */
  take(account: OpenAccount | null, free: number): Promise<TakenPayments | null>
  /** How long until something may be allowed again, ms. */
  waitMs(): number
  /** A push of the account is under way, was answered, and has ended. */
  started(): void
  answered(answer: { kind: PushOutcome['kind']; tookMs: number }): void
  ended(): void
}

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
  const width = createPushWidth(options.concurrency)
  let underWay = 0
  let notBeforeMs = Number.NEGATIVE_INFINITY
  let oldAtMs = Number.NEGATIVE_INFINITY

  const take = async (account: OpenAccount | null, free: number): Promise<TakenPayments | null> => {
    const nowMs = options.nowMs()
    const alsoOld = nowMs >= oldAtMs
    const isAllowed = account !== null && nowMs >= notBeforeMs
    const limit = isAllowed ? Math.max(Math.min(width.now() - underWay, free), 0) : 0
    if (limit === 0 && !alsoOld) return null
    const taken = await takeDuePayments({
      database: options.database,
      accountId,
      budget: budgetOf(account, options.pushesPerSecond),
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
