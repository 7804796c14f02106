import type { Transaction } from 'kysely'
import { z } from 'zod'
import type { Database } from '../../database/connect.ts'
import { now } from '../../database/expressions.ts'
import type { Schema } from '../../database/schema/schema.ts'
import type { Approval, ApprovalsClient } from '../../runtime/approvals-client.ts'
import type { Log } from '../../runtime/log.ts'
import { parseMsisdn } from '../../values/msisdn.ts'
import { type Actor, nameOf, recordAudit } from '../audit/record-audit.ts'
import { eraseWithin } from '../payers/erase.ts'
import { findPayments } from '../payers/find-payments.ts'
import { findPayment } from '../payments/find.ts'
import { settleWithin } from '../settle/settle-by-hand.ts'
import { openMessage, requireNoneInSpool } from './payer-methods.ts'
import { toRefusal } from './payment-operations-methods.ts'
import { Refused } from './refused.ts'

type ApprovalParts = { database: Database; log: Log; spoolFolder: string }

/** Approvals that are listed at most. */
const LISTED = 100

const settlement = z.object({
  outcome: z.enum(['successful', 'failed']),
  receipt: z.string().nullable(),
  reason: z.string(),
  anyway: z.boolean(),
})

/** Lists and decides approvals, in the name of `actor`. */
export const createApprovals = (parts: ApprovalParts, actor: Actor): ApprovalsClient => ({
  list: () => listWaiting(parts.database),
  approve: (id) =>
    parts.database.transaction().execute(async (transaction) => {
      const row = await lockWaiting(transaction, id, actor)
      // Refused, it throws: the approval stays open until it expires or is refused.
      const done = await carryOut({ parts, transaction, row, actor })
      await decide({ transaction, row, actor, decision: 'approved' })
      return done
    }),
  refuse: (id) =>
    parts.database.transaction().execute(async (transaction) => {
      const row = await lockWaiting(transaction, id, actor)
      await decide({ transaction, row, actor, decision: 'refused' })
    }),
})

const COLUMNS = ['id', 'kind', 'payment_id', 'parameters', 'asked_by', 'asked_at', 'expires_at'] as const

const listWaiting = async (database: Database): Promise<Approval[]> => {
  const rows = await database
    .selectFrom('approvals')
    .select(COLUMNS)
    .where('decision', 'is', null)
    .where('expires_at', '>', now)
    .orderBy('id')
    .limit(LISTED)
    .execute()
  return rows.map((row) => {
    const { what, reason } = describe(row)
    return {
      id: row.id,
      kind: row.kind,
      paymentId: row.payment_id,
      what,
      reason,
      askedBy: row.asked_by,
      askedAt: row.asked_at,
      expiresAt: row.expires_at,
    }
  })
}

const describe = (row: Pick<Row, 'kind' | 'payment_id' | 'parameters'>) => {
  if (row.kind === 'erase_payer') {
    return { what: `erase the payer of payment ${row.payment_id}: there is no way back`, reason: null }
  }
  const { outcome, receipt, reason } = settlement.parse(row.parameters)
  const proof = receipt === null ? '' : ` with receipt ${receipt}`
  return { what: `settle payment ${row.payment_id} as ${outcome}${proof}; its partner is told`, reason }
}

type Row = Awaited<ReturnType<typeof lockWaiting>>

/** The approval, which nobody else decides meanwhile. Throws `Refused` where `actor` may not decide it. */
const lockWaiting = async (transaction: Transaction<Schema>, id: bigint, actor: Actor) => {
  const name = nameOf(actor)
  const operator = await transaction
    .selectFrom('operators')
    .select('role')
    .where('name', '=', name)
    .where('disabled_at', 'is', null)
    .executeTakeFirst()
  if (operator?.role !== 'money')
    throw new Refused('not_possible', `${name} is no operator with the role money, who decides approvals`)
  const row = await transaction
    .selectFrom('approvals')
    .select([...COLUMNS, 'decision', 'decided_by'])
    .select((eb) => eb('expires_at', '<=', now).as('is_expired'))
    .where('id', '=', id)
    .forUpdate()
    .executeTakeFirst()
  if (row === undefined) throw new Refused('not_found', `there is no approval ${id}`)
  if (row.decision === 'expired' || (row.decision === null && row.is_expired))
    throw new Refused('not_possible', `approval ${id} has expired: ask for the change again`)
  if (row.decision !== null)
    throw new Refused('not_possible', `approval ${id} was ${row.decision} by ${row.decided_by}`)
  if (row.asked_by === name)
    throw new Refused('not_possible', `${name} asked for approval ${id}: another operator decides it`)
  return row
}

type Decided = { transaction: Transaction<Schema>; row: Row; actor: Actor }

/** Judges the change anew, as it is now, and makes it. */
const carryOut = async (change: Decided & { parts: ApprovalParts }): Promise<string> =>
  change.row.kind === 'settle_payment' ? settleApproved(change) : eraseApproved(change)

const settleApproved = async ({ transaction, row, actor }: Decided): Promise<string> => {
  const { outcome, receipt, reason, anyway } = settlement.parse(row.parameters)
  const paymentId = row.payment_id
  const settled = await settleWithin(transaction, {
    paymentId,
    owner: 'anybody',
    outcome,
    receipt,
    reason: `${reason} (asked by ${row.asked_by})`,
    actor,
    anyway,
    isRehearsal: false,
  })
  if (settled.kind !== 'settled') throw toRefusal(settled, { paymentId, outcome, receipt })
  return `Payment ${paymentId} is ${outcome}. Its partner is notified.`
}

const eraseApproved = async (change: Decided & { parts: ApprovalParts }): Promise<string> => {
  const { transaction, row, actor, parts } = change
  const payment = await findPayment(transaction, 'anybody', row.payment_id)
  const parsed = parseMsisdn(payment?.msisdn ?? '')
  if (!parsed.ok)
    throw new Refused('not_possible', `the payer of payment ${row.payment_id} was erased before`)
  const msisdn = parsed.value
  await requireNoneInSpool(parts.spoolFolder, msisdn)
  const ids = await findPayments(transaction, msisdn)
  const erasure = await eraseWithin({ transaction, msisdn, ids, actor })
  if (erasure.kind === 'open') throw new Refused('not_possible', openMessage(erasure.payments))
  const { payments, deliveries, callbacks } = erasure.rows
  parts.log.info({ event: 'payer_erased', payments, deliveries, callbacks })
  return `The payer is erased from ${payments} payments, ${deliveries} deliveries and ${callbacks} callbacks.`
}

const decide = async (change: Decided & { decision: 'approved' | 'refused' }): Promise<void> => {
  const { transaction, row, actor, decision } = change
  const decided = { decision, decided_by: nameOf(actor), decided_at: now }
  await transaction.updateTable('approvals').set(decided).where('id', '=', row.id).execute()
  await recordAudit(transaction, {
    actor,
    action: `approval_${decision}`,
    subject: { kind: 'payment', id: row.payment_id },
    partnerId: null,
    before: null,
    after: { approval_id: row.id, kind: row.kind, asked_by: row.asked_by },
  })
}
