import { sql, type Transaction } from 'kysely'
import type { Database } from '../../database/connect.ts'
import type { PaymentStateName } from '../../database/schema/payments.ts'
import type { Schema } from '../../database/schema/schema.ts'
import { crashPoint } from '../../runtime/crash-point.ts'
import { type MovedTo, movePayments } from './move.ts'
import { type Evidence, type Settlement, settle } from './settle.ts'

/** A payment that its taker, and nobody else, may now push. */
export type DuePayment = { paymentId: bigint; msisdn: string; amountKes: number; reference: string | null }

/** What was found due. */
export type TakenPayments = {
  /** How many duties were looked at. */
  found: number
  /** Moved to `submitting` and committed: to be pushed now. */
  toPush: DuePayment[]
  /** Found in `submitting` after their submitter's lease ended: moved to `unconfirmed`. */
  orphans: bigint[]
  /** Of those whose submit-by deadline passed before anybody was prompted: failed. */
  settlements: Settlement[]
}

type DueRow = {
  id: bigint
  state: PaymentStateName
  msisdn: string
  amount_kes: number
  reference: string | null
  too_old: boolean
}

/** What a partner reads of a payment whose payer was never prompted; M-PESA gave no code. */
const NOT_PROMPTED = { resultCode: 'NOT_PROMPTED', resultDesc: 'The payer was not prompted in time.' }

/**
 * Takes at most `limit` due payments, under a lease of `leaseMs`. Everything is committed when it resolves: `submitting` is
 * durable before the first byte goes to Daraja (law 2).
 */
export const takeDuePayments = async (options: {
  database: Database
  limit: number
  leaseMs: number
}): Promise<TakenPayments> => {
  const taken = await options.database.transaction().execute(async (transaction) => {
    const leased = await leaseDuties({ ...options, transaction })
    const rows = await lockPayments(transaction, leased)
    const due = rows.filter((row) => row.state === 'accepted' && !row.too_old)
    const expired = rows.filter((row) => row.state === 'accepted' && row.too_old).map((row) => row.id)
    const orphans = rows.filter((row) => row.state === 'submitting').map((row) => row.id)
    await movePayments(transaction, [...due.map(({ id }) => toSubmitting(id)), ...orphans.map(toUnconfirmed)])
    const settlements = await settle(transaction, expired.map(toExpiry))
    const dueIds = new Set(due.map((row) => row.id))
    await endDuties(
      transaction,
      leased.filter((id) => !dueIds.has(id)),
    )
    crashPoint('take.before_commit', leased.length)
    return { found: leased.length, toPush: due.map(toDuePayment), orphans, settlements }
  })
  crashPoint('take.after_commit', taken.found)
  return taken
}

const leaseDuties = async (options: {
  transaction: Transaction<Schema>
  limit: number
  leaseMs: number
}): Promise<bigint[]> => {
  const { rows } = await sql<{ payment_id: bigint }>`
    UPDATE to_submit SET leased_until = now() + make_interval(secs => ${options.leaseMs / 1000})
    WHERE payment_id IN (
      SELECT payment_id FROM to_submit WHERE due_at <= now() AND leased_until <= now()
      ORDER BY due_at LIMIT ${options.limit} FOR UPDATE SKIP LOCKED
    )
    RETURNING payment_id
  `.execute(options.transaction)
  return rows.map((row) => row.payment_id)
}

const lockPayments = async (transaction: Transaction<Schema>, ids: readonly bigint[]): Promise<DueRow[]> => {
  if (ids.length === 0) return []
  const { rows } = await sql<DueRow>`
    SELECT id, state, msisdn, amount_kes, reference, submit_by <= now() AS too_old
    FROM payments WHERE id = ANY(${ids}::bigint[]) ORDER BY id FOR NO KEY UPDATE
  `.execute(transaction)
  return rows
}

const endDuties = async (transaction: Transaction<Schema>, ids: readonly bigint[]): Promise<void> => {
  if (ids.length === 0) return
  await sql`DELETE FROM to_submit WHERE payment_id = ANY(${ids}::bigint[])`.execute(transaction)
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

const toExpiry = (paymentId: bigint): Evidence => ({
  paymentId,
  outcome: 'failed',
  cause: 'submit_deadline_passed',
  ...NOT_PROMPTED,
  receipt: null,
  transactionDate: null,
  merchantRequestId: null,
  checkoutRequestId: null,
})

const toDuePayment = (row: DueRow): DuePayment => ({
  paymentId: row.id,
  msisdn: row.msisdn,
  amountKes: row.amount_kes,
  reference: row.reference,
})
