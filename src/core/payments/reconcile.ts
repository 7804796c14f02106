import { sql } from 'kysely'
import type { Database } from '../../database/connect.ts'
import { isOutage } from '../../database/outage.ts'
import { crashPoint } from '../../runtime/crash-point.ts'
import type { Log } from '../../runtime/log.ts'
import { type Loop, startLoop } from '../../runtime/loop.ts'
import type { Daraja } from '../daraja/call.ts'
import { queryStk } from '../daraja/query.ts'
import type { CoreMetrics } from '../metrics.ts'

import { type Settlement, settle } from './settle.ts'
import { tellSettlements } from './tell-settlements.ts'

/** Queries under way at once. */
const CONCURRENCY = 8

const IDLE_MS = 500

/** Each query that settled nothing puts the next off by half as long again, up to this, ms. */
const MAX_DELAY_MS = 3_600_000

type DueQuery = { payment_id: bigint; checkout_request_id: string | null; queries: number }

/**
 * Asks Daraja for the payments that never called back: each first `reconcileAfterMs` after its push, then after growing
 * pauses. Only a definite answer settles; the receipt is then unknown, and a late callback fills it in.
 */
export const startReconciling = (options: {
  database: Database
  daraja: Daraja
  reconcileAfterMs: number
  timeoutMs: number
  random: () => number
  log: Log
  metrics: CoreMetrics
  onSettled: () => void
}): Loop => {
  const round = async (): Promise<boolean> => {
    const due = await takeDue({ database: options.database, leaseMs: options.timeoutMs * 4 + 60_000 })
    await Promise.all(due.map((query) => reconcile(options, query)))
    return due.length === CONCURRENCY
  }
  return startLoop({ name: 'reconcile', idleMs: IDLE_MS, round, isOutage, log: options.log })
}

const takeDue = async (options: { database: Database; leaseMs: number }): Promise<DueQuery[]> => {
  crashPoint('take_query.before_commit')
  const { rows } = await sql<DueQuery>`
    UPDATE to_query SET leased_until = now() + make_interval(secs => ${options.leaseMs / 1000}), queries = queries + 1
    FROM payments
    WHERE payments.id = to_query.payment_id AND to_query.payment_id IN (
      SELECT payment_id FROM to_query WHERE due_at <= now() AND leased_until <= now()
      ORDER BY due_at LIMIT ${CONCURRENCY} FOR UPDATE SKIP LOCKED
    )
    RETURNING to_query.payment_id, payments.checkout_request_id, to_query.queries
  `.execute(options.database)
  crashPoint('take_query.after_commit', rows.length)
  return rows
}

const reconcile = async (options: Parameters<typeof startReconciling>[0], due: DueQuery): Promise<void> => {
  crashPoint('query.before_send')
  const answer =
    due.checkout_request_id === null ? null : await queryStk(options.daraja, due.checkout_request_id)
  crashPoint('query.after_send')
  if (answer !== null) options.metrics.queried(answer.kind)
  if (answer?.kind === 'definite') {
    const settlements = await settleByQuery(options.database, due.payment_id, answer)
    tellSettlements(options, settlements)
    options.onSettled()
    return
  }
  const delayMs = nextDelay({
    firstMs: options.reconcileAfterMs,
    queries: due.queries,
    random: options.random,
  })
  options.log.info({
    event: 'query_settled_nothing',
    payment_id: due.payment_id,
    reason: answer?.reason,
    next_ms: delayMs,
  })
  await postpone(options.database, due.payment_id, delayMs)
}

const settleByQuery = async (
  database: Database,
  paymentId: bigint,
  answer: { resultCode: string; resultDesc: string },
): Promise<Settlement[]> => {
  const settlements = await database.transaction().execute(async (transaction) => {
    const settled = await settle(transaction, [
      {
        paymentId,
        outcome: answer.resultCode === '0' ? 'successful' : 'failed',
        cause: 'query',
        resultCode: answer.resultCode,
        resultDesc: answer.resultDesc,
        receipt: null,
        transactionDate: null,
        merchantRequestId: null,
        checkoutRequestId: null,
      },
    ])
    crashPoint('settle_by_query.before_commit')
    return settled
  })
  crashPoint('settle_by_query.after_commit')
  return settlements
}

/** Half as long again each time, with up to a fifth more at random, so that what was pushed together is not asked together. */
export const nextDelay = (options: { firstMs: number; queries: number; random: () => number }): number =>
  Math.round(Math.min(options.firstMs * 1.5 ** options.queries, MAX_DELAY_MS) * (1 + options.random() / 5))

const postpone = async (database: Database, paymentId: bigint, delayMs: number): Promise<void> => {
  crashPoint('postpone_query.before_commit')
  await sql`
    UPDATE to_query SET leased_until = '-infinity', due_at = now() + make_interval(secs => ${delayMs / 1000})
    WHERE payment_id = ${paymentId}
  `.execute(database)
  crashPoint('postpone_query.after_commit')
}
