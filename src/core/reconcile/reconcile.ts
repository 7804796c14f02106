import { sql, type Transaction } from 'kysely'
import type { Database } from '../../database/connect.ts'
import { isOutage } from '../../database/outage.ts'
import type { RowOf, Schema } from '../../database/schema/schema.ts'
import { crashPoint } from '../../runtime/crash-point.ts'
import type { Log } from '../../runtime/log.ts'
import { type Loop, startLoop } from '../../runtime/loop.ts'
import { backOff, readHold } from '../daraja/back-off.ts'
import { type Budget, nextInMs, readAllowance, spend } from '../daraja/budget.ts'
import type { FindAccount, OpenAccount } from '../daraja/call.ts'
import { longestCallMs } from '../daraja/client.ts'
import { type QueryOutcome, queryStk } from '../daraja/query.ts'
import { type CoreMetrics, UNCOUNTED } from '../metrics.ts'
import { beginningAt, createDueAccounts, type DueAccount, sooner } from '../payments/due-accounts.ts'
import { addConfirmations, nextDelay } from '../payments/duties.ts'
import type { Settlement } from '../settle/decide.ts'
import { reportSettlements } from '../settle/report-settlements.ts'
import { settle } from '../settle/settle.ts'
import type { CoreTraces } from '../traces.ts'

/** Queries under way at once, however fast they are let out: Daraja's answer takes a second or so. */
export const QUERIES_AT_ONCE = 64

/** How long the loop rests when nothing is due, ms. */
const IDLE_MS = 500

/** What a lease is longer than the calls to Daraja may take, ms. */
const LEASE_MARGIN_MS = 60_000

/** `due_at` as Postgres writes it, to the microsecond. */
type DueQuery = RowOf<'to_query', 'payment_id' | 'queries'> & { checkout_request_id: string; due_at: string }

/** What reconciling needs; times in ms. */
type Reconciling = {
  database: Database
  findAccount: FindAccount
  /** Queries for each account, by all replicas. */
  queriesPerSecond: number
  reconcileAfterMs: number
  timeoutMs: number
  random: () => number
  nowMs: () => number
  log: Log
  metrics: CoreMetrics
  traces?: CoreTraces | undefined
  onSettled: () => void
}

/**
 * Asks Daraja for the payments that never called back: each first `reconcileAfterMs` after its push, then after growing
 * pauses, and all together never more often than their account's budget allows, those that have waited longest first.
 * Only a definite answer settles; the receipt is then unknown, until a late callback or Pull Transactions bring it.
 */
export const startReconciling = (options: Reconciling): Loop => {
  const underWay = new Set<Promise<void>>()
  const findDueAccounts = createDueAccounts('to_query', options)
  const notBeforeMs = new Map<bigint, number>()
  let defect: { error: unknown } | undefined
  let rounds = 0

  const start = (account: OpenAccount, due: DueQuery): void => {
    const running = reconcile(options, account, due).catch((error: unknown) => {
      // The lease brings the query back; anything but an outage is a defect, and ends the loop.
      if (!isOutage(error)) defect = { error }
    })
    underWay.add(running)
    void running.then(() => underWay.delete(running))
  }

  const queryDue = async ({ accountId, since }: DueAccount): Promise<boolean | number> => {
    const waitMs = (notBeforeMs.get(accountId) ?? 0) - options.nowMs()
    if (waitMs > 0) return waitMs
    const limit = QUERIES_AT_ONCE - underWay.size
    if (limit === 0) return BUSY_MS
    const account = await options.findAccount(accountId)
    if (account === null) return false
    const taken = await takeDue({
      database: options.database,
      accountId,
      since,
      budget: {
        shortcode: account.daraja.account.shortcode,
        call: 'query',
        perSecond: options.queriesPerSecond,
      },
      limit,
      leaseMs: longestCallMs(options.timeoutMs) + LEASE_MARGIN_MS,
    })
    notBeforeMs.set(accountId, options.nowMs() + taken.nextInMs)
    for (const due of taken.due) start(account, due)
    return taken.nextInMs || taken.due.length === limit
  }

  const round = async (): Promise<boolean | number> => {
    if (defect) throw defect.error
    rounds += 1
    let again: boolean | number = false
    for (const account of beginningAt(await findDueAccounts(), rounds))
      again = sooner(again, await queryDue(account))
    return again
  }

  const loop = startLoop({ name: 'reconcile', idleMs: IDLE_MS, round, isOutage, log: options.log })
  const stop = async (): Promise<void> => {
    await loop.stop()
    await Promise.all(underWay)
  }
  return { ...loop, stop }
}

/** How often a payment that is settled is asked for, since evidence came afterwards that is not believed. */
const MAX_QUERIES_WHEN_SETTLED = 10

/** How soon to look again when as many queries are under way as may be, ms. */
const BUSY_MS = 50

const takeDue = async (options: {
  database: Database
  accountId: bigint
  since: string
  budget: Budget
  limit: number
  leaseMs: number
}): Promise<{ due: DueQuery[]; nextInMs: number }> => {
  const { budget } = options
  const taken = await options.database.transaction().execute(async (transaction) => {
    const hold = await readHold(transaction, budget.shortcode)
    if (hold.forMs > 0) return { due: [], nextInMs: hold.forMs }
    const allowance = await readAllowance(transaction, budget)
    const allowed = Math.min(options.limit, allowance.calls)
    const due = await leaseDue(transaction, {
      accountId: options.accountId,
      since: options.since,
      limit: allowed,
      leaseMs: options.leaseMs,
    })
    await spend(transaction, budget, due.length)
    crashPoint('take_query.before_commit', due.length)
    return { due, nextInMs: nextInMs(allowance, { allowed, limit: options.limit, taken: due.length }) }
  })
  crashPoint('take_query.after_commit', taken.due.length)
  return taken
}

const leaseDue = async (
  transaction: Transaction<Schema>,
  options: { accountId: bigint; since: string; limit: number; leaseMs: number },
): Promise<DueQuery[]> => {
  if (options.limit === 0) return []
  const { rows } = await sql<DueQuery>`
    WITH due AS MATERIALIZED (
      SELECT payment_id FROM to_query
      WHERE account_id = ${options.accountId} AND due_at BETWEEN ${options.since} AND now() AND leased_until <= now()
      ORDER BY due_at LIMIT ${options.limit} FOR UPDATE SKIP LOCKED
    )
    UPDATE to_query SET leased_until = now() + make_interval(secs => ${options.leaseMs / 1000}), queries = queries + 1
    FROM payments
    WHERE payments.id = to_query.payment_id AND to_query.payment_id = ANY (ARRAY(SELECT payment_id FROM due))
    RETURNING to_query.payment_id, payments.checkout_request_id, to_query.queries, to_query.due_at::text
  `.execute(transaction)
  return rows
}

const reconcile = async (options: Reconciling, account: OpenAccount, due: DueQuery): Promise<void> => {
  crashPoint('query.before_send')
  const traced = options.traces?.querying(due.payment_id, account.daraja)
  const answer = await queryStk(traced?.daraja ?? account.daraja, due.checkout_request_id)
  crashPoint('query.after_send')
  traced?.ended(answer)
  const metrics = account.test === null ? options.metrics : UNCOUNTED
  metrics.queried(answer.kind)
  if (answer.kind === 'definite') {
    const settling = options.traces?.settling()
    const settlements = await settleByQuery(options, { due, answer, pull: account.pull !== null })
    reportSettlements(options, settlements)
    settling?.(settlements)
    options.onSettled()
    return
  }
  const { database, reconcileAfterMs, random, log } = options
  if (answer.retryLater) {
    const { shortcode } = account.daraja.account
    await backOff({ database, shortcode, log, metrics }, answer.retryLater)
  }
  const delayMs = nextDelay({ firstMs: reconcileAfterMs, queries: due.queries, random })
  options.log.info({
    event: 'query_settled_nothing',
    payment_id: Number(due.payment_id),
    reason: answer.reason,
    next_ms: delayMs,
  })
  await postpone(options.database, due, delayMs)
}

const settleByQuery = async (
  options: Reconciling,
  given: {
    due: DueQuery
    answer: Extract<QueryOutcome, { kind: 'definite' }>
    /** True where Pull Transactions bring back the receipts of what the query settles. */
    pull: boolean
  },
): Promise<Settlement[]> => {
  const { due, answer } = given
  const paymentId = due.payment_id
  const isPaid = answer.resultCode === '0'
  const settlements = await options.database.transaction().execute(async (transaction) => {
    const settled = await settle(transaction, [
      {
        paymentId,
        outcome: isPaid ? 'successful' : 'failed',
        cause: 'query',
        resultCode: answer.resultCode,
        resultDesc: answer.resultDesc,
        receipt: null,
        amountKes: null,
        transactionDate: null,
        merchantRequestId: null,
        checkoutRequestId: null,
      },
    ])
    const hasMoved = settled.some(({ decision }) => decision.kind === 'move')
    if (!hasMoved) await endQuery(transaction, due)
    if (given.pull && isPaid && hasMoved) await addConfirmations(transaction, [paymentId])
    crashPoint('settle_by_query.before_commit')
    return settled
  })
  crashPoint('settle_by_query.after_commit')
  return settlements
}

/**
 * Of a payment that is settled, and was asked for since evidence came afterwards that is not believed; unless it was
 * made due anew while it was asked for.
 */
const endQuery = async (transaction: Transaction<Schema>, due: DueQuery): Promise<void> => {
  await transaction
    .deleteFrom('to_query')
    .using('payments')
    .where('to_query.payment_id', '=', due.payment_id)
    .where('to_query.due_at', '=', sql<Date>`${due.due_at}::timestamptz`)
    .whereRef('payments.id', '=', 'to_query.payment_id')
    .where('payments.state', 'in', ['successful', 'failed'])
    .execute()
}

/** Unless it was made due anew while it was asked for. A settled payment is not asked for again and again for ever. */
const postpone = async (database: Database, due: DueQuery, delayMs: number): Promise<void> => {
  crashPoint('postpone_query.before_commit')
  await database
    .with('ended', (query) =>
      query
        .deleteFrom('to_query')
        .using('payments')
        .where('to_query.payment_id', '=', due.payment_id)
        .where('queries', '>=', MAX_QUERIES_WHEN_SETTLED)
        .whereRef('payments.id', '=', 'to_query.payment_id')
        .where('payments.state', 'in', ['successful', 'failed'])
        .returning('to_query.payment_id'),
    )
    .updateTable('to_query')
    .set({
      leased_until: sql`'-infinity'`,
      due_at: sql`CASE WHEN due_at = ${due.due_at}::timestamptz THEN now() + make_interval(secs => ${delayMs / 1000}) ELSE due_at END`,
    })
    .where('payment_id', '=', due.payment_id)
    .where('payment_id', 'not in', (query) => query.selectFrom('ended').select('payment_id'))
    .execute()
  crashPoint('postpone_query.after_commit')
}
