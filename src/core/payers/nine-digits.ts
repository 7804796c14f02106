import { type RawBuilder, sql } from 'kysely'
import type { Msisdn } from '../../values/msisdn.ts'

/**
 * The last nine digits of a payer's number: what all its forms have in common, `254712345678`, `0712345678`, and the
 * end of a CheckoutRequestID. Zeros take their place, so that everything keeps its length, and JSON and bodies stay
 * what they are; no payer has the number 254000000000.
 */
export type NineDigits = { digits: string; zeros: string }

export const toNineDigits = (msisdn: Msisdn): NineDigits => ({
  digits: msisdn.slice(3),
  zeros: '0'.repeat(9),
})

/**
 * The number as people and programs write it, and not its digits within a longer number, which means something else:
 * alone, or after 0, 254 or 00254; before it no digit, unless that ends the escape of another character: `%20`,
 * `\u0020`, `\240`.
 */
const writtenAs = ({ digits }: NineDigits): string =>
  String.raw`((?<![0-9])|(?<=%[0-9A-Fa-f]{2})|(?<=\\u[0-9A-Fa-f]{4})|(?<=\\[0-3][0-7]{2}))(00254|254|0)?${digits}(?![0-9])`

/** A CheckoutRequestID ends in the number. */
const atEndOfId = ({ digits }: NineDigits): string => `(ws_CO_[0-9]*)${digits}(?![0-9])`

/** A text with zeros in the place of the number. */
export const blanked = (text: RawBuilder<unknown>, number: NineDigits): RawBuilder<unknown> => sql`
  regexp_replace(
    regexp_replace(${text}, ${writtenAs(number)}, ${String.raw`\2${number.zeros}`}, 'g'),
    ${atEndOfId(number)}, ${String.raw`\1${number.zeros}`}, 'g'
  )
`

/** Whether the number stands in a text. Nearly none has its digits, and to look for these is cheap. */
export const hasNumber = (text: RawBuilder<unknown>, number: NineDigits): RawBuilder<unknown> =>
  sql`(strpos(${text}, ${number.digits}) > 0 AND (${text} ~ ${writtenAs(number)} OR ${text} ~ ${atEndOfId(number)}))`

/** Whether it stands in a row of `callbacks`. A body is any bytes, and nearly none has the digits. */
export const inCallback = (number: NineDigits): RawBuilder<unknown> => sql`(
  (position(${Buffer.from(number.digits)} IN body) > 0 AND ${hasNumber(sql`encode(body, 'escape')`, number)})
  OR ${hasNumber(sql`headers::text`, number)}
)`
