import { sql, type Transaction } from 'kysely'
import type { Database } from '../../database/connect.ts'
import type { Schema } from '../../database/schema/schema.ts'
import { crashPoint } from '../../runtime/crash-point.ts'
import { nextDelay } from '../payments/duties.ts'

/** A payment that is looked for in M-PESA's records. */
export type ToConfirm = { paymentId: bigint; amountKes: number; nonce: string | null }

/** A stretch of M-PESA's records, and the payments that are looked for in it. */
export type PullWindow = { from: Date; to: Date; payments: ToConfirm[] }

/** Payments that are looked for in one window at most. */
const LIMIT = 1000

/** Payments accepted within so long of the first share a window, ms. */
const WINDOW_MS = 3_600_000

/** What is paid is in M-PESA's records soon after the prompt; clocks may differ. */
const BEFORE_MS = 300_000
const AFTER_MS = 3_600_000

/** M-PESA's records go back two days; after that only operators look. */
const RECORDS_REACH_MS = 47 * 3_600_000

type DueRow = {
  payment_id: bigint
  pulls: number
  created_at: Date
  amount_kes: number
  callback_nonce: string | null
  too_old: boolean
}

/**
 * Takes the payments of an account that are due to be looked for and were accepted at about the same time; null when none is. They are put
 * off in the same transaction, longer each time: should this process end now, they are looked for the next time.
 */
export const takeConfirmations = async (options: {
  database: Database
  accountId: bigint
  reconcileAfterMs: number
  random: () => number
}): Promise<PullWindow | null> => {
  const rows = await options.database.transaction().execute(async (transaction) => {
    const due = await lockDue(transaction, options.accountId)
    await endOld(transaction, due.filter((row) => row.too_old).map(idOf))
    const recent = due.filter((row) => !row.too_old)
    const firstMs = Math.min(...recent.map(createdMs))
    const together = recent.filter((row) => createdMs(row) < firstMs + WINDOW_MS)
    await putOff(transaction, together, options)
    crashPoint('take_confirmations.before_commit', together.length)
    return together
  })
  crashPoint('take_confirmations.after_commit', rows.length)
  if (rows.length === 0) return null
  const times = rows.map(createdMs)
  return {
    from: new Date(Math.min(...times) - BEFORE_MS),
    to: new Date(Math.max(...times) + AFTER_MS),
    payments: rows.map((row) => ({
      paymentId: row.payment_id,
      amountKes: row.amount_kes,
      nonce: row.callback_nonce,
    })),
  }
}

const idOf = (row: DueRow): bigint => row.payment_id
const createdMs = (row: DueRow): number => row.created_at.getTime()

const lockDue = async (transaction: Transaction<Schema>, accountId: bigint): Promise<DueRow[]> => {
  const { rows } = await sql<DueRow>`
    SELECT due.payment_id, due.pulls, payments.created_at, payments.amount_kes, payments.callback_nonce,
           payments.created_at < now() - make_interval(secs => ${RECORDS_REACH_MS / 1000}) AS too_old
    FROM (
      SELECT payment_id, pulls FROM to_confirm WHERE account_id = ${accountId} AND due_at <= now()
      ORDER BY due_at LIMIT ${LIMIT} FOR UPDATE SKIP LOCKED
    ) due
    JOIN payments ON payments.id = due.payment_id
  `.execute(transaction)
  return rows
}

/** Unconfirmed ones stay, for operators to see; receipts that never came are given up. */
const endOld = async (transaction: Transaction<Schema>, ids: readonly bigint[]): Promise<void> => {
  if (ids.length === 0) return
  await sql`
    WITH given_up AS (
      DELETE FROM to_confirm USING payments
      WHERE to_confirm.payment_id = ANY(${ids}::bigint[]) AND payments.id = to_confirm.payment_id
        AND payments.state = 'successful'
    )
    UPDATE to_confirm SET due_at = 'infinity' FROM payments
    WHERE to_confirm.payment_id = ANY(${ids}::bigint[]) AND payments.id = to_confirm.payment_id
      AND payments.state <> 'successful'
  `.execute(transaction)
}

const putOff = async (
  transaction: Transaction<Schema>,
  due: readonly DueRow[],
  options: { reconcileAfterMs: number; random: () => number },
): Promise<void> => {
  if (due.length === 0) return
  const delays = due.map((row) =>
    nextDelay({ firstMs: options.reconcileAfterMs, queries: row.pulls, random: options.random }),
  )
  await sql`
    UPDATE to_confirm SET pulls = pulls + 1, due_at = now() + make_interval(secs => delay_ms / 1000)
    FROM unnest(${due.map(idOf)}::bigint[], ${delays}::double precision[]) AS given (payment_id, delay_ms)
    WHERE to_confirm.payment_id = given.payment_id
  `.execute(transaction)
}
