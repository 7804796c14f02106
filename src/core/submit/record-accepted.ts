import { sql } from 'kysely'
import type { Database } from '../../database/connect.ts'
import { givenRows } from '../../database/given-rows.ts'
import type { RowOf } from '../../database/schema/schema.ts'
import { crashPoint } from '../../runtime/crash-point.ts'
import { nextDelay } from '../payments/duties.ts'
import { movingParts } from '../payments/move.ts'
import type { PushedAs } from './pushed.ts'

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
      DELETE FROM to_submit USING moved WHERE to_submit.payment_id = moved.id
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
