import { type ExpressionBuilder, sql, type Transaction } from 'kysely'
import type { Database } from '../../database/connect.ts'
import { anyOf } from '../../database/expressions.ts'
import { holdImportsOff } from '../../database/import-lock.ts'
import { planTheRestByIndex } from '../../database/plan-by-size.ts'
import type { Schema } from '../../database/schema/schema.ts'
import { type Msisdn, maskMsisdn } from '../../values/msisdn.ts'
import { type Actor, recordAudit } from '../audit/record-audit.ts'
import { blankEverywhere, type ErasedRows } from './blank.ts'
import { findHeld, type Held } from './find-held.ts'
import { toNineDigits } from './nine-digits.ts'

/**
 * What came of it; `payments` are those that keep the number from being erased, since they or their deliveries are
 * open, or Daraja is asked about them. `importing`: a statement is being imported, whose lines nobody sees
 * yet, or was since the number was looked for.
 */
export type Erasure =
  | { kind: 'erased'; rows: ErasedRows }
  | { kind: 'open'; payments: bigint[] }
  | { kind: 'importing' }

/**
 * Takes a payer's number out of everything that is kept: zeros stand for it afterwards, and there is no way back.
 * Amounts, receipts, ids, partners and states stay, for the books need them. Nothing is done while a payment of the
 * payer is open, or its outcome not delivered yet: both need the number; nor while a statement is imported. One transaction, with its row in the audit
 * log, which names the payer by the masked number.
 */
export const erasePayer = async (options: {
  database: Database
  msisdn: Msisdn
  actor: Actor
}): Promise<Erasure> => {
  const { database, msisdn, actor } = options
  const held = await findHeld(database, msisdn)
  return database.transaction().execute((transaction) => eraseWithin({ transaction, msisdn, held, actor }))
}

/** The same in a transaction of the caller's, of what was found before it: to find it takes long in a large database. */
export const eraseWithin = async (options: {
  transaction: Transaction<Schema>
  msisdn: Msisdn
  held: Held
  actor: Actor
}): Promise<Erasure> => {
  const { transaction, msisdn, held, actor } = options
  await planTheRestByIndex(transaction)
  if (!(await holdImportsOff(transaction)) || (await isImportedSince(transaction, held)))
    return { kind: 'importing' }
  const open = await lockAndFindOpen(transaction, held.paymentIds)
  if (open.length > 0) return { kind: 'open', payments: open }
  const rows = await blankEverywhere(transaction, toNineDigits(msisdn), held)
  await recordAudit(transaction, {
    actor,
    action: 'erased',
    subject: { kind: 'payer', id: maskMsisdn(msisdn) },
    partnerId: null,
    before: null,
    after: { ...rows, payment_ids: held.paymentIds },
  })
  return { kind: 'erased', rows }
}

/** Whether there is a statement by now whose lines were not looked through. */
const isImportedSince = async (
  transaction: Transaction<Schema>,
  { statementIds }: Held,
): Promise<boolean> => {
  const query = transaction
    .selectFrom('statements')
    .select('id')
    .where('id', '<>', sql<bigint>`all(${statementIds}::bigint[])`)
  return (await query.limit(1).executeTakeFirst()) !== undefined
}

/**
 * Locks these payments, and names those that keep the number. A second statement judges them, for its
 * snapshot is younger: what settled a payment while it was waited for has committed its delivery by now.
 */
export const lockAndFindOpen = async (
  transaction: Transaction<Schema>,
  ids: readonly bigint[],
): Promise<bigint[]> => {
  const named = transaction.selectFrom('payments').select('id').where('id', '=', anyOf(ids)).orderBy('id')
  await named.forUpdate().execute()
  const rows = await named.where(isOpen).execute()
  return rows.map(({ id }) => id)
}

const isOpen = (eb: ExpressionBuilder<Schema, 'payments'>) => {
  const pending = eb
    .selectFrom('deliveries')
    .select('deliveries.id')
    .whereRef('deliveries.payment_id', '=', 'payments.id')
    .where('deliveries.state', '=', 'pending')
  const uninterpreted = eb
    .selectFrom('callbacks')
    .innerJoin('to_interpret', 'to_interpret.callback_id', 'callbacks.id')
    .select('callbacks.id')
    .whereRef('callbacks.payment_id', '=', 'payments.id')
  // A failed one of which evidence came that is not believed: Daraja knows its prompt by the number.
  const asked = eb
    .selectFrom('to_query')
    .select('to_query.payment_id')
    .whereRef('to_query.payment_id', '=', 'payments.id')
  const isUnsettled = eb('payments.state', 'not in', ['successful', 'failed'])
  return eb.or([isUnsettled, eb.exists(pending), eb.exists(uninterpreted), eb.exists(asked)])
}
