import { type SqlBool, sql, type Transaction } from 'kysely'
import type { Database } from '../../database/connect.ts'
import { anyOf } from '../../database/given-rows.ts'
import type { RowOf, Schema } from '../../database/schema/schema.ts'
import { crashPoint } from '../../runtime/crash-point.ts'
import { type Hold, readHold } from '../daraja/back-off.ts'
import { type Budget, nextInMs, readAllowance, spend } from '../daraja/budget.ts'
import type { OpenAccount } from '../daraja/call.ts'
import { longestCallMs } from '../daraja/client.ts'
import { addConfirmations, endSubmissions } from '../payments/duties.ts'
import { type MovedTo, movePayments } from '../payments/move.ts'
import { NOT_PROMPTED, STOPPED } from '../payments/states.ts'
import type { Settlement } from '../settle/decide.ts'
import type { Evidence } from '../settle/evidence.ts'
import { settle } from '../settle/settle.ts'

/** A payment that its taker, and nobody else, may now push. */
export type DuePayment = {
  paymentId: bigint
  msisdn: string
  amountKes: number
  reference: string | null
  /** What its callback URL carries beside the token; null: accepted by a release that knew of none. */
  callbackNonce: string | null
  /** Which taking of the payment this is: the record of another's is not this one's. */
  take: number
}

/** What was found due. */
export type TakenPayments = {
  /** Moved to `submitting` and committed: to be pushed now. */
  toPush: DuePayment[]
  /** Found in `submitting` after their submitter's lease ended: moved to `unconfirmed`. */
  orphans: bigint[]
  /** Of those whose submit-by deadline passed, or whose partner was disabled, before anybody was prompted: failed. */
  settlements: Settlement[]
  /** True when there may be more that may be taken at once. */
  more: boolean
  /** When the account may be asked for more, ms; 0: now. */
  nextInMs: number
  hold: Hold
}

type DueRow = RowOf<'payments', 'id' | 'state' | 'msisdn' | 'amount_kes' | 'reference' | 'callback_nonce'> & {
  too_old: boolean
  /** Its partner is disabled: nobody is prompted for it. */
  is_stopped: SqlBool
}

/** Payments past their deadline that one transaction takes. */
const MAX_OLD = 200

/**
 * Takes at most `limit` due payments of an account, under a lease of `leaseMs`, as far as the account's budget and hold
 * allow; with `alsoOld` those past their submit-by deadline too, whatever is allowed, for they prompt nobody.
 * Everything is committed when it resolves: `submitting` is durable before the first byte goes to Daraja (law 2).
 */
export const takeDuePayments = async (options: {
  database: Database
  accountId: bigint
  budget: Budget
  limit: number
  leaseMs: number
  alsoOld: boolean
}): Promise<TakenPayments> => {
  const taken = await options.database.transaction().execute(async (transaction) => {
    const hold = await readHold(transaction, options.budget.shortcode)
    const allowance = await readAllowance(transaction, options.budget)
    const allowed = hold.forMs > 0 ? 0 : Math.min(options.limit, allowance.calls)
    const oldLimit = options.alsoOld ? MAX_OLD : 0
    const ids = await lockDuties(transaction, { accountId: options.accountId, limit: allowed, oldLimit })
    const rows = await lockPayments(transaction, ids)
    const accepted = rows.filter((row) => row.state === 'accepted')
    const due = accepted.filter((row) => !row.too_old && !row.is_stopped)
    const ended = accepted.filter((row) => row.too_old || row.is_stopped)
    const orphans = rows.filter((row) => row.state === 'submitting').map((row) => row.id)
    await movePayments(transaction, [...due.map(({ id }) => toSubmitting(id)), ...orphans.map(toUnconfirmed)])
    await addConfirmations(transaction, orphans)
    const settlements = await settle(transaction, ended.map(toEnd))
    const takes = await leaseDuties(transaction, { ids: due.map((row) => row.id), leaseMs: options.leaseMs })
    await endSubmissions(
      transaction,
      rows.map((row) => row.id).filter((id) => !takes.has(id)),
    )
    await spend(transaction, options.budget, due.length)
    crashPoint('take.before_commit', rows.length)
    return {
      toPush: due.map((row) => toDuePayment(row, takes.get(row.id) ?? 0)),
      orphans,
      settlements,
      more: ids.length > 0 && ids.length >= Math.min(options.limit, MAX_OLD),
      nextInMs:
        hold.forMs > 0
          ? hold.forMs
          : nextInMs(allowance, { allowed, limit: options.limit, taken: ids.length }),
      hold,
    }
  })
  crashPoint('take.after_commit', taken.toPush.length + taken.orphans.length + taken.settlements.length)
  return taken
}

/** Locks `limit` duties of the account, due longest first, and `oldLimit` of payments past their deadline. */
const lockDuties = async (
  transaction: Transaction<Schema>,
  options: { accountId: bigint; limit: number; oldLimit: number },
): Promise<bigint[]> => {
  const { rows } = await sql<RowOf<'to_submit', 'payment_id'>>`
    WITH old AS (
      SELECT payment_id FROM to_submit
      WHERE account_id = ${options.accountId}
        AND due_at <= now() AND leased_until <= now() AND submit_by <= now()
      LIMIT ${options.oldLimit} FOR UPDATE SKIP LOCKED
    ), due AS (
      SELECT payment_id FROM to_submit
      WHERE account_id = ${options.accountId}
        AND due_at <= now() AND leased_until <= now() AND submit_by > now()
      ORDER BY due_at LIMIT ${options.limit} FOR UPDATE SKIP LOCKED
    )
    SELECT payment_id FROM old UNION ALL SELECT payment_id FROM due
  `.execute(transaction)
  return rows.map((row) => row.payment_id)
}

/**
 * Those of the payments that nobody else has locked. Others lock a payment first and its duty after; to wait here, with
 * the duty in hand, would be to wait for each other. The transaction that has the payment may be settling it; else it
 * is due the next time.
 */
const lockPayments = async (transaction: Transaction<Schema>, ids: readonly bigint[]): Promise<DueRow[]> => {
  if (ids.length === 0) return []
  return transaction
    .selectFrom('payments')
    .select(['id', 'state', 'msisdn', 'amount_kes', 'reference', 'callback_nonce'])
    .select((query) => [
      sql<boolean>`submit_by <= now()`.as('too_old'),
      query
        .exists(
          query
            .selectFrom('partners')
            .select('partners.id')
            .whereRef('partners.id', '=', 'payments.partner_id')
            .where('disabled_at', 'is not', null),
        )
        .as('is_stopped'),
    ])
    .where('payments.id', '=', anyOf('payments.id', ids))
    .orderBy('payments.id')
    .forNoKeyUpdate()
    .skipLocked()
    .execute()
}

/** Leases duties; each payment with the number of its taking. */
const leaseDuties = async (
  transaction: Transaction<Schema>,
  options: { ids: readonly bigint[]; leaseMs: number },
): Promise<Map<bigint, number>> => {
  if (options.ids.length === 0) return new Map()
  const rows = await transaction
    .updateTable('to_submit')
    .set({
      leased_until: sql`now() + make_interval(secs => ${options.leaseMs / 1000})`,
      takes: sql`takes + 1`,
    })
    .where('payment_id', '=', anyOf('to_submit.payment_id', options.ids))
    .returning(['payment_id', 'takes'])
    .execute()
  return new Map(rows.map((row) => [row.payment_id, row.takes]))
}

const toSubmitting = (paymentId: bigint): MovedTo => ({
  paymentId,
  from: 'accepted',
  to: 'submitting',
  cause: 'taken_for_submission',
})

const toUnconfirmed = (paymentId: bigint): MovedTo => ({
  paymentId,
  from: 'submitting',
  to: 'unconfirmed',
  cause: 'submitter_lost',
})

const toEnd = (row: DueRow): Evidence => ({
  paymentId: row.id,
  outcome: 'failed',
  cause: row.is_stopped ? 'partner_disabled' : 'submit_deadline_passed',
  ...(row.is_stopped ? STOPPED : NOT_PROMPTED),
  receipt: null,
  amountKes: null,
  transactionDate: null,
  merchantRequestId: null,
  checkoutRequestId: null,
})

const toDuePayment = (row: DueRow, take: number): DuePayment => ({
  paymentId: row.id,
  msisdn: row.msisdn,
  amountKes: row.amount_kes,
  reference: row.reference,
  callbackNonce: row.callback_nonce,
  take,
})

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
  /** A push of the account is under way, and has ended. */
  started(): void
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

/** Decides how many payments of an account are taken, and when: what is not allowed yet costs no transaction. */
const createPushTaker = (options: TakerOptions, accountId: bigint): PushTaker => {
  let width = options.concurrency
  let underWay = 0
  let notBeforeMs = Number.NEGATIVE_INFINITY
  let oldAtMs = Number.NEGATIVE_INFINITY

  const take = async (account: OpenAccount | null, free: number): Promise<TakenPayments | null> => {
    const nowMs = options.nowMs()
    const alsoOld = nowMs >= oldAtMs
    const isAllowed = account !== null && nowMs >= notBeforeMs
    const limit = isAllowed ? Math.max(Math.min(width - underWay, free), 0) : 0
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
    width = Math.max(1, Math.floor(options.concurrency / 2 ** taken.hold.recentHolds))
    return taken
  }

  return {
    take,
    waitMs: () => Math.min(Math.max(notBeforeMs - options.nowMs(), 0) || IDLE_MS, IDLE_MS),
    started: () => {
      underWay += 1
    },
    ended: () => {
      underWay -= 1
    },
  }
}

const budgetOf = (account: OpenAccount | null, perSecond: number | null): Budget =>
  account === null
    ? { shortcode: '', call: 'push', perSecond: null }
    : { shortcode: account.daraja.account.shortcode, call: 'push', perSecond }
