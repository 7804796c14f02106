import { sql, type Transaction } from 'kysely'
import type { Database } from '../../database/connect.ts'
import { anyOf } from '../../database/expressions.ts'
import type { Schema } from '../../database/schema/schema.ts'
import { type Msisdn, maskMsisdn } from '../../values/msisdn.ts'
import { type Actor, recordAudit } from '../audit/record-audit.ts'
import { blankEverywhere, type ErasedRows, toNineDigits } from './blank.ts'

/**
 * What came of it; `payments` are those that keep the number from being erased, since they or their deliveries are
 * open.
 */
export type Erasure = { kind: 'erased'; rows: ErasedRows } | { kind: 'open'; payments: bigint[] }

/**
 * Takes a payer's number out of everything that is kept: zeros stand for it afterwards, and there is no way back.
 * Amounts, receipts, ids, partners and states stay, for the books need them. Nothing is done while a payment of the
 * payer is open, or its outcome not delivered yet: both need the number. One transaction, with its row in the audit
 * log, which names the payer by the masked number.
 */
export const erasePayer = async (options: {
  database: Database
  msisdn: Msisdn
  actor: Actor
}): Promise<Erasure> => {
  const { database, msisdn, actor } = options
  const ids = await findPayments(database, msisdn)
  return database.transaction().execute(async (transaction): Promise<Erasure> => {
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
  })
}

/**
 * The payer's payments, and those in whose fields a partner wrote the number down, in the order of their ids. There is
 * no index by number, for nothing else asks for one: this reads all payments, before anything is locked.
 */
const findPayments = async (database: Database, msisdn: Msisdn): Promise<bigint[]> => {
  const { digits } = toNineDigits(msisdn)
  const rows = await database
    .selectFrom('payments')
    .select('id')
    .where((eb) => {
      const texts = sql`concat_ws(' ', reference, callback_url, result_desc)`
      return eb.or([
        eb('msisdn', '=', msisdn),
        sql<boolean>`${texts} ~ ${`(^|[^0-9])(254|0)${digits}($|[^0-9])`}`,
      ])
    })
    .orderBy('id')
    .execute()
  return rows.map(({ id }) => id)
}

const lockAndFindOpen = async (
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
