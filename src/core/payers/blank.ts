import { type RawBuilder, sql, type Transaction } from 'kysely'
import { givenRows } from '../../database/given-rows.ts'
import type { Schema } from '../../database/schema/schema.ts'
import type { Held, Strays } from './find-held.ts'
import { blanked, hasNumber, type NineDigits } from './nine-digits.ts'

/** How many rows were blanked. */
export type ErasedRows = { payments: number; callbacks: number; deliveries: number }

/**
 * Blanks the number in the payments that were found and in all that is kept of them, and in what belongs to no payment.
 * What partners wrote of their own beside the payer's payments goes whole: it may name the payer in other ways.
 * Their idempotency keys stay taken, but the fingerprints, out of which a number could be guessed, go: a repeated
 * request is then refused as one with other fields, and never prompts anybody.
 */
export const blankEverywhere = async (
  transaction: Transaction<Schema>,
  number: NineDigits,
  { paymentIds, keys, strays }: Held,
): Promise<ErasedRows> => {
  const ids = sql`${paymentIds}::bigint[]`
  const blank = (column: string): RawBuilder<unknown> =>
    sql`${sql.ref(column)} = ${blanked(sql.ref(column), number)}`
  const ofDeliveries = sql`delivery_id = ANY(ARRAY(SELECT id FROM deliveries WHERE payment_id = ANY(${ids})))`
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
  await run(sql`DELETE FROM payer_prompts WHERE ${isAskedPayer(number)}`)
  await run(sql`
    UPDATE idempotency_keys SET fingerprint = sha256(uuid_send(gen_random_uuid())) FROM ${givenKeys(keys)}
    WHERE idempotency_keys.partner_id = given.partner_id AND idempotency_keys.key_hash = given.key_hash
  `)
  await run(sql`
    UPDATE statement_lines SET ${blank('reference')} FROM ${givenLines(strays.lines)}
    WHERE statement_lines.receipt = given.receipt AND statement_lines.shortcode = given.shortcode
  `)
  await run(sql`
    UPDATE statement_exceptions SET ${blank('reference')}, ${blank('note')}
    WHERE id = ANY(${strays.exceptionIds}::bigint[])
  `)
  await run(sql`UPDATE statements SET ${blank('file_name')} WHERE ${hasNumber(sql`file_name`, number)}`)
  await run(sql`
    UPDATE approvals SET parameters = ${blanked(sql`parameters::text`, number)}::jsonb
    WHERE ${hasNumber(sql`parameters::text`, number)}
  `)
  // Whose numbers a file holds that is being handed over, nobody knows yet: it is handed over again.
  await run(sql`DELETE FROM statement_uploads`)
  const callbacks = await run(blankCallbacks(number, sql`payment_id = ANY(${ids})`))
  const ofNone = await run(blankCallbacks(number, sql`id = ANY(${strays.callbackIds}::uuid[])`))
  // An unknown sender's callback with the number in it settles nothing, and is no accounting record.
  const strangers = await run(
    sql`DELETE FROM stranger_callbacks WHERE id = ANY(${strays.strangerIds}::uuid[])`,
  )
  return { payments, deliveries, callbacks: callbacks + ofNone + strangers }
}

/**
 * The rows of `payer_prompts` that are the payer's, each looked up by its partner, for their index begins with that: from
 * one partner that has any to the next.
 */
export const isAskedPayer = ({ digits }: NineDigits): RawBuilder<unknown> => sql`
  msisdn = ${`254${digits}`} AND partner_id = ANY(ARRAY(
    WITH RECURSIVE asking AS (
      (SELECT partner_id FROM payer_prompts ORDER BY partner_id LIMIT 1)
      UNION ALL
      SELECT (SELECT partner_id FROM payer_prompts WHERE partner_id > asking.partner_id ORDER BY partner_id LIMIT 1)
      FROM asking WHERE asking.partner_id IS NOT NULL
    )
    SELECT partner_id FROM asking
  ))
`

const givenKeys = (keys: Held['keys']) =>
  givenRows(keys, {
    partner_id: ['idempotency_keys.partner_id', (key) => key.partner_id],
    key_hash: ['idempotency_keys.key_hash', (key) => key.key_hash],
  })

/** The key of a line, to be looked up by. */
export const givenLines = (lines: Strays['lines']) =>
  givenRows(lines, {
    receipt: ['statement_lines.receipt', (line) => line.receipt],
    shortcode: ['statement_lines.shortcode', (line) => line.shortcode],
  })

/** A body is any bytes: as text, those that are no ASCII are each written as a backslash and three digits. */
const blankCallbacks = (number: NineDigits, which: RawBuilder<unknown>): RawBuilder<unknown> => sql`
  UPDATE callbacks SET
    body = decode(${blanked(sql`encode(body, 'escape')`, number)}, 'escape'),
    headers = ${blanked(sql`headers::text`, number)}::jsonb
  WHERE ${which}
`
