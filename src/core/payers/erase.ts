import type { Transaction } from 'kysely'
import type { Database } from '../../database/connect.ts'
import { anyOf } from '../../database/expressions.ts'
import { holdImportsOff } from '../../database/import-lock.ts'
import type { Schema } from '../../database/schema/schema.ts'
import { type Msisdn, maskMsisdn } from '../../values/msisdn.ts'
import { type Actor, recordAudit } from '../audit/record-audit.ts'
import { blankEverywhere, type ErasedRows, toNineDigits } from './blank.ts'
import { findPayments } from './find-payments.ts'

/**
 * What came of it; `payments` are those that keep the number from being erased, since they or their deliveries are
 * open. `importing`: a statement is being imported, whose lines nobody sees yet.
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
  const ids = await findPayments(database, msisdn)
  return database.transaction().execute((transaction) => eraseWithin({ transaction, msisdn, ids, actor }))
}

/** The same in a transaction of the caller's; `ids` are what `findPayments` found. */
export const eraseWithin = async (options: {
  transaction: Transaction<Schema>
  msisdn: Msisdn
  ids: readonly bigint[]
  actor: Actor
}): Promise<Erasure> => {
  const { transaction, msisdn, ids, actor } = options
  if (!(await holdImportsOff(transaction))) return { kind: 'importing' }
  const open = await lockAndFindOpen(transaction, ids)
  if (open.length > 0) return { kind: 'open', payments: open }
  const rows = await blankEverywhere(transaction, toNineDigits(msisdn), ids)
  await recordAudit(transaction, {
    actor,
    action: 'erased',
    subject: { kind: 'payer', id: maskMsisdn(msisdn) },
    partnerId: null,
    before: null,
    after: { ...rows, payment_ids: ids },
  })
  return { kind: 'erased', rows }
}

/** Locks these payments, and names those that are open or whose deliveries are. */
export const lockAndFindOpen = async (
  transaction: Transaction<Schema>,
  ids: readonly bigint[],
): Promise<bigint[]> => {
  const rows = await transaction
    .selectFrom('payments')
    .select('id')
    .select((eb) => {
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
      const isUnsettled = eb('payments.state', 'not in', ['successful', 'failed'])
      return eb.or([isUnsettled, eb.exists(pending), eb.exists(uninterpreted)]).as('is_open')
    })
    .where('id', '=', anyOf(ids))
    .orderBy('id')
    .forUpdate()
    .execute()
  return rows.filter((row) => row.is_open).map(({ id }) => id)
}
