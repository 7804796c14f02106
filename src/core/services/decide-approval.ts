import type { Transaction } from 'kysely'
import type { Database } from '../../database/connect.ts'
import { now } from '../../database/expressions.ts'
import type { Schema } from '../../database/schema/schema.ts'
import { crashPoint } from '../../runtime/crash-point.ts'
import type { Log } from '../../runtime/log.ts'
import { type Msisdn, parseMsisdn } from '../../values/msisdn.ts'
import type { Parsed } from '../../values/parsed.ts'
import { type Actor, nameOf, recordAudit } from '../audit/record-audit.ts'
import { eraseWithin } from '../payers/erase.ts'
import { findHeld, type Held } from '../payers/find-held.ts'
import { findPayment } from '../payments/find.ts'
import type { Settlement } from '../settle/decide.ts'
import { isFilledIn, settleWithin } from '../settle/settle-by-hand.ts'
import { findOperator, requireOperator } from './known-operator.ts'
import { requireNoneInSpool, toRefusedErasure } from './payer-methods.ts'
import { toRefusal } from './payment-operations-methods.ts'
import { Refused } from './refused.ts'
import { settlement } from './waiting-approvals.ts'

/** What the methods about approvals use. */
export type ApprovalParts = {
  database: Database
  log: Log
  spoolFolder: string
  /** Called after a payment was settled, which has a delivery now. */
  onSettled: (settlement: Settlement) => void
}

/** A decision on one approval. */
type Decision = { parts: ApprovalParts; id: bigint; actor: Actor }

/** What was done, as a sentence; `report` tells of it once it is committed. */
type Done = { said: string; report: () => void }

/**
 * Makes the change that an approval waits with, in one transaction with the decision: all of it, or nothing, and then the
 * approval waits on. What is held on a payer who is to be erased is looked for before, so that nothing is locked for as
 * long. Throws `Refused` where `actor` may not decide it, or the change is not possible any more.
 */
export const approve = async ({ parts, id, actor }: Decision): Promise<string> => {
  const found = await findToErase(parts.database, id)
  const { said, report } = await parts.database.transaction().execute(async (transaction) => {
    const row = await lockWaiting(transaction, id, actor)
    await requireAsker(transaction, row)
    const done = await carryOut({ parts, transaction, row, actor, found })
    await decide({ transaction, row, actor, decision: 'approved' })
    crashPoint('approve_change.before_commit')
    return done
  })
  crashPoint('approve_change.after_commit')
  report()
  return said
}

/** Ends the waiting, and the change is not made. Throws as `approve` does. */
export const refuse = ({ parts, id, actor }: Decision): Promise<void> =>
  parts.database.transaction().execute(async (transaction) => {
    const row = await lockWaiting(transaction, id, actor)
    await decide({ transaction, row, actor, decision: 'refused' })
  })

type Row = Awaited<ReturnType<typeof lockWaiting>>

/** The approval, which nobody else decides meanwhile. Throws `Refused` where `actor` may not decide it. */
const lockWaiting = async (transaction: Transaction<Schema>, id: bigint, actor: Actor) => {
  const { name, role } = await requireOperator(transaction, actor, 'decides')
  if (role !== 'money')
    throw new Refused(
      'not_possible',
      `${name} has the role ${role}: one with the role money decides approvals`,
    )
  const row = await transaction
    .selectFrom('approvals')
    .select(['id', 'kind', 'payment_id', 'parameters', 'asked_by', 'decision', 'decided_by'])
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

/** What somebody asked for who was shut out since is made by nobody. Throws `Refused`. */
const requireAsker = async (transaction: Transaction<Schema>, { id, asked_by }: Row): Promise<void> => {
  if ((await findOperator(transaction, asked_by)) === undefined)
    throw new Refused(
      'not_possible',
      `${asked_by}, who asked for approval ${id}, is disabled since: refuse it, and have it asked for again`,
    )
}

type Decided = { transaction: Transaction<Schema>; row: Row; actor: Actor }

/** The payer that an approval is about, and what is held on them; null where it is about something else. */
type ToErase = { msisdn: Msisdn; held: Held } | null

const findToErase = async (database: Database, id: bigint): Promise<ToErase> => {
  const query = database.selectFrom('approvals').select('payment_id').where('id', '=', id)
  const row = await query.where('kind', '=', 'erase_payer').where('decision', 'is', null).executeTakeFirst()
  if (row === undefined) return null
  const parsed = await readPayerOf(database, row.payment_id)
  return parsed.ok ? { msisdn: parsed.value, held: await findHeld(database, parsed.value) } : null
}

const readPayerOf = async (database: Database, paymentId: bigint): Promise<Parsed<Msisdn>> =>
  parseMsisdn((await findPayment(database, 'anybody', paymentId))?.msisdn ?? '')

type Change = Decided & { parts: ApprovalParts; found: ToErase }

/** Judges the change anew, as it is now, and makes it. */
const carryOut = async (change: Change): Promise<Done> =>
  change.row.kind === 'settle_payment' ? settleApproved(change) : eraseApproved(change)

const settleApproved = async (change: Change): Promise<Done> => {
  const { transaction, row, actor, parts } = change
  const { outcome, receipt, reason, anyway, doubts } = settlement.parse(row.parameters)
  const paymentId = row.payment_id
  const settled = await settleWithin(transaction, {
    paymentId,
    owner: 'anybody',
    outcome,
    receipt,
    reason: `${reason} (asked by ${row.asked_by})`,
    actor,
    // In spite of what whoever decides was shown, and of nothing that came up since.
    anyway: anyway && (doubts?.map(({ kind }) => kind) ?? true),
    isRehearsal: false,
  })
  if (settled.kind !== 'settled') throw toRefusal(settled, { paymentId, outcome, receipt })
  const said = isFilledIn(settled.settlement)
    ? `Payment ${paymentId} has the receipt ${receipt} now. Its partner is not notified: it knows that it is paid.`
    : `Payment ${paymentId} is ${outcome}. Its partner is notified.`
  return { said, report: () => parts.onSettled(settled.settlement) }
}

const eraseApproved = async (change: Change): Promise<Done> => {
  const { transaction, row, actor, parts, found } = change
  const payer = await readPayerOf(transaction, row.payment_id)
  if (found === null || !payer.ok)
    throw new Refused('not_possible', `the payer of payment ${row.payment_id} was erased before`)
  const { msisdn, held } = found
  await requireNoneInSpool(parts.spoolFolder, msisdn)
  const erasure = await eraseWithin({ transaction, msisdn, held, actor })
  if (erasure.kind !== 'erased') throw toRefusedErasure(erasure)
  const { payments, deliveries, callbacks } = erasure.rows
  const said = `The payer is erased from ${payments} payments, ${deliveries} deliveries and ${callbacks} callbacks.`
  return { said, report: () => parts.log.info({ event: 'payer_erased', payments, deliveries, callbacks }) }
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
