import { type RawBuilder, sql, type Transaction } from 'kysely'
import type { Schema } from '../../database/schema/schema.ts'
import type { Msisdn } from '../../values/msisdn.ts'

/**
 * The last nine digits of a payer's number: what all its forms have in common, `254712345678`, `0712345678`, and the
 * end of a CheckoutRequestID. Zeros take their place, so that everything keeps its length, and JSON and bodies stay
 * what they are; no payer has the number 254000000000.
 */
export type NineDigits = { digits: string; zeros: string }

/** How many rows were blanked. */
export type ErasedRows = { payments: number; callbacks: number; deliveries: number }

export const toNineDigits = (msisdn: Msisdn): NineDigits => ({
  digits: msisdn.slice(3),
  zeros: '0'.repeat(9),
})

/**
 * Blanks the number in the payments named and in all that is kept of them, and in callbacks that belong to no payment.
 * What partners wrote of their own beside the payer's payments goes whole: it may name the payer in other ways.
 * Their idempotency keys stay taken, but the fingerprints, out of which a number could be guessed, go: a repeated
 * request is then refused as one with other fields, and never prompts anybody.
 */
export const blankEverywhere = async (
  transaction: Transaction<Schema>,
  number: NineDigits,
  paymentIds: readonly bigint[],
): Promise<ErasedRows> => {
  const ids = sql`${paymentIds}::bigint[]`
  const blank = (column: string): RawBuilder<unknown> =>
    sql`${sql.ref(column)} = ${blanked(sql.ref(column), number)}`
  const ofDeliveries = sql`delivery_id IN (SELECT id FROM deliveries WHERE payment_id = ANY(${ids}))`
  const run = async (statement: RawBuilder<unknown>): Promise<number> =>
    Number((await statement.execute(transaction)).numAffectedRows ?? 0n)

  const payments = await run(sql`
    UPDATE payments SET ${blank('msisdn')}, ${blank('reference')}, ${blank('callback_url')},
      ${blank('checkout_request_id')}, ${blank('result_desc')},
      metadata = CASE WHEN msisdn = ${`254${number.digits}`} THEN NULL
        ELSE ${blanked(sql`metadata::text`, number)}::json END
    WHERE id = ANY(${ids})
  `)
  const deliveries = await run(sql`
    UPDATE deliveries SET ${blank('body')}, ${blank('callback_url')}, ${blank('dead_reason')}
    WHERE payment_id = ANY(${ids})
  `)
  await run(sql`UPDATE attempts SET ${blank('answer')} WHERE ${ofDeliveries}`)
  await run(sql`UPDATE dead_letters SET ${blank('reason')} WHERE ${ofDeliveries}`)
  await run(sql`UPDATE payment_history SET ${blank('detail')} WHERE payment_id = ANY(${ids})`)
  await run(
    sql`UPDATE payment_findings SET ${blank('detail')}, ${blank('note')} WHERE payment_id = ANY(${ids})`,
  )
  await run(sql`DELETE FROM payer_prompts WHERE msisdn = ${`254${number.digits}`}`)
  await run(sql`
    UPDATE idempotency_keys SET fingerprint = sha256(uuid_send(gen_random_uuid())) WHERE payment_id = ANY(${ids})
  `)
  await run(sql`
    UPDATE statement_lines SET ${blank('reference')} WHERE ${hasNumber(sql`reference`, number)}
  `)
  await run(sql`
    UPDATE statement_exceptions SET ${blank('reference')}, ${blank('note')}
    WHERE ${hasNumber(sql`concat_ws(' ', reference, note)`, number)}
  `)
  await run(sql`UPDATE statements SET ${blank('file_name')} WHERE ${hasNumber(sql`file_name`, number)}`)
  await run(sql`
    UPDATE approvals SET parameters = ${blanked(sql`parameters::text`, number)}::jsonb
    WHERE ${hasNumber(sql`parameters::text`, number)}
  `)
  // Whose numbers a file holds that is being handed over, nobody knows yet: it is handed over again.
  await run(sql`DELETE FROM statement_uploads`)
  const callbacks = await run(blankCallbacks(number, ids))
  return { payments, deliveries, callbacks: callbacks + (await run(forgetStrangersWith(number))) }
}

/** An unknown sender's callback with the number in it settles nothing, and is no accounting record. */
const forgetStrangersWith = ({ digits }: NineDigits): RawBuilder<unknown> => sql`
  DELETE FROM stranger_callbacks
  WHERE position(${Buffer.from(digits)} IN body) > 0 OR strpos(headers::text, ${digits}) > 0
`

/** A body is any bytes: as text, those that are no ASCII are each written as a backslash and three digits. */
const blankCallbacks = (number: NineDigits, ids: RawBuilder<unknown>): RawBuilder<unknown> => {
  const body = sql`encode(body, 'escape')`
  const headers = sql`headers::text`
  return sql`
    UPDATE callbacks SET
      body = decode(${blanked(body, number)}, 'escape'),
      headers = ${blanked(headers, number)}::jsonb
    WHERE payment_id = ANY(${ids})
      OR (payment_id IS NULL AND position(${Buffer.from(number.digits)} IN body) > 0 AND ${hasNumber(body, number)})
      OR (payment_id IS NULL AND ${hasNumber(headers, number)})
  `
}

/**
 * The number as people and programs write it, and not its digits within a longer number, which means something else:
 * alone, or after 0, 254 or 00254; before it no digit, unless that ends the escape of another character: `%20`,
 * `\u0020`, `\240`.
 */
const writtenAs = ({ digits }: NineDigits): string =>
  String.raw`((?<![0-9])|(?<=%[0-9A-Fa-f]{2})|(?<=\\u[0-9A-Fa-f]{4})|(?<=\\[0-3][0-7]{2}))(00254|254|0)?${digits}(?![0-9])`

/** A CheckoutRequestID ends in the number. */
const atEndOfId = ({ digits }: NineDigits): string => `(ws_CO_[0-9]*)${digits}(?![0-9])`

const blanked = (text: RawBuilder<unknown>, number: NineDigits): RawBuilder<unknown> => sql`
  regexp_replace(
    regexp_replace(${text}, ${writtenAs(number)}, ${String.raw`\2${number.zeros}`}, 'g'),
    ${atEndOfId(number)}, ${String.raw`\1${number.zeros}`}, 'g'
  )
`

/** Whether the number stands in a text. */
export const hasNumber = (text: RawBuilder<unknown>, number: NineDigits): RawBuilder<unknown> =>
  sql`(${text} ~ ${writtenAs(number)} OR ${text} ~ ${atEndOfId(number)})`
