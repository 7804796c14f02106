import { type RawBuilder, sql } from 'kysely'
import type { Database } from '../../database/connect.ts'
import type { RowOf } from '../../database/schema/schema.ts'
import { ERASED_MSISDN, type Msisdn } from '../../values/msisdn.ts'
import { findAlongKey } from './find-along-key.ts'
import { hasNumber, inCallback, type NineDigits, toNineDigits } from './nine-digits.ts'

/**
 * The payer's payments with ids above `after`, and those in whose fields a partner wrote the number down, in the order of
 * their ids; `atMost` of them, or all (null). No index leads to the latter: this reads all payments, in pieces, until it has
 * as many. Among them are those that were the payer's before that was erased, where a callback has come since.
 */
export const findPayments = async (
  database: Database,
  { msisdn, after, atMost }: { msisdn: Msisdn; after: bigint | null; atMost: number | null },
): Promise<bigint[]> => {
  const number = toNineDigits(msisdn)
  const texts = sql`concat_ws(' ', reference, callback_url, result_desc, metadata)`
  const pieces = findAlongKey<RowOf<'payments', 'id'>>({
    database,
    table: 'payments',
    key: ['id'],
    after: after === null ? null : { id: after },
    fits: sql`msisdn = ${msisdn} OR ${hasNumber(texts, number)} OR ${isCalledBackSince(number)}`,
  })
  const ids: bigint[] = []
  for await (const piece of pieces) {
    for (const { id } of piece) ids.push(id)
    if (atMost !== null && ids.length >= atMost) return ids.slice(0, atMost)
  }
  return ids
}

/** Whether a payment whose payer was erased has a callback with the number: it came later, or out of another's spool. */
const isCalledBackSince = (number: NineDigits): RawBuilder<unknown> => sql`(
  msisdn = ${ERASED_MSISDN} AND EXISTS (
    SELECT FROM callbacks WHERE callbacks.payment_id = payments.id AND ${inCallback(number)}
  )
)`
