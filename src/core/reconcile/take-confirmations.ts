import { type SqlBool, sql, type Transaction } from 'kysely'
import type { Database } from '../../database/connect.ts'
import { anyOf, givenRows } from '../../database/given-rows.ts'
import type { RowOf, Schema } from '../../database/schema/schema.ts'
import { crashPoint } from '../../runtime/crash-point.ts'
import type { RecalledPayment } from '../daraja/call.ts'
import { nextDelay } from '../payments/duties.ts'

/** A payment that is looked for in M-PESA's records. */
export type ToConfirm = { paymentId: bigint; amountKes: number; nonce: string | null }

/** A stretch of M-PESA's records, and the payments that are looked for in it. */
export type PullWindow = { from: Date; to: Date; payments: (ToConfirm & RecalledPayment)[] }

/** Payments that are looked for in one window at most. */
const LIMIT = 1000

/** Payments whose payers were prompted within so long of the first share a window, ms. */
const WINDOW_MS = 3_600_000

/** What is paid is in M-PESA's records soon after the prompt; clocks may differ. */
const BEFORE_MS = 300_000
const AFTER_MS = 3_600_000

/** M-PESA's records go back two days; after that only operators look. */
const RECORDS_REACH_MS = 47 * 3_600_000

type DueRow = RowOf<'to_confirm', 'payment_id' | 'pulls'> &
  RowOf<'payments', 'created_at' | 'msisdn' | 'amount_kes' | 'callback_nonce'> & {
    prompted_at: Date
    too_old: SqlBool
  }

/**
 * Takes the payments of an account that are due to be looked for and were pushed at about the same time; null when
 * none is. They are put off in the same transaction, longer each time: should this process end now, they are looked for
 * the next time.
 */
export const takeConfirmations = async (options: {
  database: Database
  accountId: bigint
  /** No duty that is due was due before. */
  since: string
  reconcileAfterMs: number
  random: () => number
}): Promise<PullWindow | null> => {
  const rows = await options.database.transaction().execute(async (transaction) => {
    const due = await lockDue(transaction, options)
    await endOld(transaction, due.filter((row) => row.too_old).map(idOf))
    const recent = due.filter((row) => !row.too_old)
    const firstMs = Math.min(...recent.map(promptedMs))
    const together = recent.filter((row) => promptedMs(row) < firstMs + WINDOW_MS)
    await putOff(transaction, together, options)
    crashPoint('take_confirmations.before_commit', together.length)
    return together
  })
  crashPoint('take_confirmations.after_commit', rows.length)
  if (rows.length === 0) return null
  const times = rows.map(promptedMs)
  return {
    from: new Date(Math.min(...times) - BEFORE_MS),
    to: new Date(Math.max(...times) + AFTER_MS),
    payments: rows.map((row) => ({
      paymentId: row.payment_id,
      createdAt: row.created_at,
      msisdn: row.msisdn,
      amountKes: row.amount_kes,
      nonce: row.callback_nonce,
    })),
  }
}

const idOf = (row: DueRow): bigint => row.payment_id
const promptedMs = (row: DueRow): number => row.prompted_at.getTime()

/** When its payer was prompted, which may be a day after it was asked for. */
const PROMPTED_AT = sql<Date>`coalesce((
  SELECT max(at) FROM payment_history moves
  WHERE moves.payment_id = payments.id AND moves.to_state = 'submitting' AND moves.at >= payments.created_at
), payments.created_at)`

const lockDue = (
  transaction: Transaction<Schema>,
  { accountId, since }: { accountId: bigint; since: string },
): Promise<DueRow[]> =>
  transaction
    .selectFrom((query) =>
      query
        .selectFrom('to_confirm')
        .select(['payment_id', 'pulls'])
        .where('account_id', '=', accountId)
        .where('due_at', '>=', sql<Date>`${since}::timestamptz`)
        .where('due_at', '<=', sql<Date>`now()`)
        .orderBy('due_at')
        .limit(LIMIT)
        .forUpdate()
        .skipLocked()
        .as('due'),
    )
    .innerJoin('payments', 'payments.id', 'due.payment_id')
    .select(['due.payment_id', 'due.pulls', 'payments.created_at', 'payments.amount_kes'])
    .select(['payments.msisdn', 'callback_nonce'])
    .select(PROMPTED_AT.as('prompted_at'))
    .select(
      sql<SqlBool>`${PROMPTED_AT} < now() - make_interval(secs => ${RECORDS_REACH_MS / 1000})`.as('too_old'),
    )
    .execute()

/** Unconfirmed ones stay, for operators to see; receipts that never came are given up. */
const endOld = async (transaction: Transaction<Schema>, ids: readonly bigint[]): Promise<void> => {
  if (ids.length === 0) return
  const named = transaction.selectFrom('payments').select('id').where('id', '=', anyOf('payments.id', ids))
  await transaction
    .deleteFrom('to_confirm')
    .where('payment_id', 'in', named.where('state', '=', 'successful'))
    .execute()
  await transaction
    .updateTable('to_confirm')
    .set({ due_at: sql`'infinity'` })
    .where('payment_id', 'in', named.where('state', '<>', 'successful'))
    .execute()
}

const putOff = async (
  transaction: Transaction<Schema>,
  due: readonly DueRow[],
  options: { reconcileAfterMs: number; random: () => number },
): Promise<void> => {
  if (due.length === 0) return
  const given = givenRows(due, {
    payment_id: ['to_confirm.payment_id', idOf],
    delay_ms: [
      'float8',
      (row) => nextDelay({ firstMs: options.reconcileAfterMs, queries: row.pulls, random: options.random }),
    ],
  })
  await transaction
    .updateTable('to_confirm')
    .from(given)
    .set({ pulls: sql`pulls + 1`, due_at: sql`now() + make_interval(secs => delay_ms / 1000)` })
    .whereRef('to_confirm.payment_id', '=', 'given.payment_id')
    .execute()
}
