import { type SqlBool, sql, type Transaction } from 'kysely'
import type { Database } from '../../database/connect.ts'
import { anyOf } from '../../database/given-rows.ts'
import type { RowOf, Schema } from '../../database/schema/schema.ts'
import { crashPoint } from '../../runtime/crash-point.ts'
import { addConfirmations, endSubmissions } from '../payments/duties.ts'
import { type MovedTo, movePayments } from '../payments/move.ts'
import { NOT_PROMPTED, STOPPED } from '../payments/states.ts'
import type { Settlement } from '../settle/decide.ts'
import type { Evidence } from '../settle/evidence.ts'
import { settle } from '../settle/settle.ts'

/** What became of payments that are not to be pushed. */
export type EndedPayments = {
  /** Found in `submitting` after their submitter's lease ended: moved to `unconfirmed`. */
  orphans: bigint[]
  /** Of those whose submit-by deadline passed, or whose partner was disabled, before anybody was prompted: failed. */
  settlements: Settlement[]
}

type DueRow = RowOf<'payments', 'id' | 'state'> & {
  too_old: boolean
  /** Its partner is disabled: nobody is prompted for it. */
  is_stopped: SqlBool
}

/**
 * Ends the duty to submit of those of the payments that are due and that nobody is to be prompted for, in one
 * transaction. One that may be pushed after all keeps its duty.
 */
export const endDuePayments = async (database: Database, ids: readonly bigint[]): Promise<EndedPayments> => {
  const ended = await database.transaction().execute(async (transaction) => {
    const rows = await lockPayments(transaction, await lockDuties(transaction, ids))
    const accepted = rows.filter((row) => row.state === 'accepted')
    const failed = accepted.filter((row) => row.too_old || row.is_stopped)
    const orphans = rows.filter((row) => row.state === 'submitting').map((row) => row.id)
    await movePayments(transaction, orphans.map(toUnconfirmed))
    await addConfirmations(transaction, orphans)
    const settlements = await settle(transaction, failed.map(toEnd))
    await endSubmissions(
      transaction,
      rows.filter((row) => row.state !== 'accepted').map((row) => row.id),
    )
    crashPoint('end_due.before_commit', rows.length)
    return { orphans, settlements }
  })
  crashPoint('end_due.after_commit', ended.orphans.length + ended.settlements.length)
  return ended
}

/** Those of the duties that are still due and that nobody else has locked. */
const lockDuties = async (transaction: Transaction<Schema>, ids: readonly bigint[]): Promise<bigint[]> => {
  const rows = await transaction
    .selectFrom('to_submit')
    .select('payment_id')
    .where('payment_id', '=', anyOf('to_submit.payment_id', ids))
    .where('due_at', '<=', sql<Date>`now()`)
    .where('leased_until', '<=', sql<Date>`now()`)
    .forUpdate()
    .skipLocked()
    .execute()
  return rows.map((row) => row.payment_id)
}

/** Those of the payments that nobody else has locked: see `takeDuePayments`. */
const lockPayments = (transaction: Transaction<Schema>, ids: readonly bigint[]): Promise<DueRow[]> =>
  transaction
    .selectFrom('payments')
    .select(['id', 'state'])
    .select((query) => [
      sql<boolean>`submit_by <= now()`.as('too_old'),
      query
        .exists(
          query
            .selectFrom('partners')
            .select('partners.id')
            .where('partners.id', '=', sql<bigint>`abs(payments.partner_id)`)
            .where('disabled_at', 'is not', null),
        )
        .as('is_stopped'),
    ])
    .where('payments.id', '=', anyOf('payments.id', ids))
    .orderBy('payments.id')
    .forNoKeyUpdate()
    .skipLocked()
    .execute()

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
