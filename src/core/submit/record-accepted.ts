import { sql } from 'kysely'
import type { Database } from '../../database/connect.ts'
import { givenRows } from '../../database/given-rows.ts'
import { retryWhileUnavailable } from '../../database/retry-while-unavailable.ts'
import { runRows } from '../../database/run-rows.ts'
import type { RowOf } from '../../database/schema/schema.ts'
import { type Batcher, createBatcher } from '../../runtime/batch.ts'
import { crashPoint } from '../../runtime/crash-point.ts'
import type { Log } from '../../runtime/log.ts'
import type { CoreMetrics } from '../metrics.ts'
import { nextDelay } from '../payments/duties.ts'
import { movingParts } from '../payments/move.ts'
import { reportFindings, reportSettlements } from '../settle/report-settlements.ts'
import type { CoreTraces } from '../traces.ts'
import { isKind, type Pushed, type PushedAs } from './pushed.ts'
import { recordPushes } from './record-pushes.ts'

/** How long outcomes gather after a batch has begun, ms: ten statements of one row cost much more than one of ten. */
const GATHER_MS = 20

/** After `last`, for how long records still wait for a Postgres that is away, ms. */
const LAST_RECORDING_MS = 60_000

export type PushRecorder = {
  /** Resolves once the outcome is recorded. */
  add(pushed: Pushed): Promise<void>
  last(): void
}

/**
 * Records outcomes, many at once: what is commonplace by itself, so that nothing rare holds it up. An outcome is known
 * to nobody else, so its record is tried for as long as Postgres is away; once `last` was called, for a minute more.
 */
export const createPushRecorder = (options: {
  database: Database
  reconcileAfterMs: number
  nowMs: () => number
  random: () => number
  log: Log
  metrics: CoreMetrics
  traces?: CoreTraces | undefined
  onSettled: () => void
}): PushRecorder => {
  const { database, reconcileAfterMs, random, log, metrics, nowMs, onSettled } = options
  let untilMs = Number.POSITIVE_INFINITY

  /** True: recorded. */
  const accepted = gather(async (pushes: readonly PushedAs<'accepted'>[]) => {
    const recorded = await recordAccepted({ database, reconcileAfterMs, random, pushes })
    return pushes.map(({ paymentId }) => recorded.has(paymentId))
  })
  const others = gather(async (pushes: readonly Pushed[]) => {
    const traced = options.traces?.settling()
    const { settlements, findings } = await recordPushes({ database, reconcileAfterMs, random, pushes })
    reportSettlements({ log, metrics }, settlements)
    traced?.(settlements)
    reportFindings({ log, metrics }, findings)
    if (settlements.length > 0) onSettled()
    return pushes.map(() => undefined)
  })

  const record = async (pushed: Pushed): Promise<void> => {
    if (isAccepted(pushed) && (await accepted.add(pushed))) return
    await others.add(pushed)
  }
  const add = (pushed: Pushed): Promise<void> =>
    retryWhileUnavailable(() => record(pushed), { isOver: (pauseMs) => nowMs() + pauseMs > untilMs })

  const last = (): void => {
    untilMs = nowMs() + LAST_RECORDING_MS
  }

  return { add, last }
}

const isAccepted = isKind('accepted')

const gather = <Item, Result>(record: (items: readonly Item[]) => Promise<Result[]>): Batcher<Item, Result> =>
  createBatcher({
    maxItems: 200,
    maxRunning: 2,
    maxWaiting: 10_000,
    gatherMs: GATHER_MS,
    run: (items) => runRows(items, record),
  })

/**
 * Records pushes that Daraja took, in one statement: they are to be queried, and not to be submitted any more. Resolves
 * with the ids of those that it recorded: the others are not in `submitting`, and a matter of `recordPushes`. `random`
 * spreads the queries of what was pushed together.
 *
 * Payments are locked in the order of their ids, as every stage does, each looked up by itself (LATERAL): two
 * transactions that lock the same payments cannot deadlock, whatever the planner thinks of the tables.
 */
export const recordAccepted = async (options: {
  database: Database
  reconcileAfterMs: number
  random: () => number
  pushes: readonly PushedAs<'accepted'>[]
}): Promise<Set<bigint>> => {
  const { reconcileAfterMs: firstMs, random } = options
  const inOrder = options.pushes.toSorted((one, other) => Number(one.paymentId - other.paymentId))
  const given = givenRows(inOrder, {
    id: ['payments.id', (push) => push.paymentId],
    merchant_request_id: ['payments.merchant_request_id', (push) => push.outcome.merchantRequestId],
    checkout_request_id: ['payments.checkout_request_id', (push) => push.outcome.checkoutRequestId],
    query_after_ms: ['float8', () => nextDelay({ firstMs, queries: 0, random })],
  })
  crashPoint('record_push.before_commit')
  const { rows } = await sql<RowOf<'payments', 'id'>>`
    WITH locked AS MATERIALIZED (
      SELECT given.* FROM ${given} CROSS JOIN LATERAL (
        SELECT FROM payments WHERE payments.id = given.id FOR NO KEY UPDATE
      ) payments
    ), ${MOVED}, queried AS (
      INSERT INTO to_query (payment_id, due_at, account_id)
      SELECT id, now() + make_interval(secs => query_after_ms / 1000), account_id FROM moved
      ON CONFLICT DO NOTHING
    ), ended AS (
      DELETE FROM to_submit WHERE payment_id = ANY (ARRAY(SELECT id FROM moved))
    )
    SELECT id FROM moved
  `.execute(options.database)
  crashPoint('record_push.after_commit')
  return new Set(rows.map((row) => row.id))
}

const MOVED = movingParts({
  from: 'submitting',
  to: 'submitted',
  cause: 'push_accepted',
  also: sql`,
    merchant_request_id = coalesce(payments.merchant_request_id, locked.merchant_request_id),
    checkout_request_id = coalesce(payments.checkout_request_id, locked.checkout_request_id)
  `,
  returning: sql`payments.account_id, locked.query_after_ms`,
})
