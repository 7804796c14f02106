import { sql } from 'kysely'
import type { Database } from '../../database/connect.ts'
import type { Msisdn } from '../../values/msisdn.ts'
import { hasNumber, toNineDigits } from './blank.ts'

/**
 * The payer's payments, and those in whose fields a partner wrote the number down, in the order of their ids. No index
 * leads to the latter: this reads all payments, before anything is locked.
 */
export const findPayments = async (database: Database, msisdn: Msisdn): Promise<bigint[]> => {
  const number = toNineDigits(msisdn)
  const rows = await database
    .selectFrom('payments')
    .select('id')
    .where((eb) => {
      const texts = sql`concat_ws(' ', reference, callback_url, result_desc, metadata)`
      return eb.or([eb('msisdn', '=', msisdn), sql<boolean>`${hasNumber(texts, number)}`])
    })
    .orderBy('id')
    .execute()
  return rows.map(({ id }) => id)
}
