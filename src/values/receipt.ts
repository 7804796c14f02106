import type { Brand } from './brand.ts'
import { invalid, type Parsed, valid } from './parsed.ts'

/** M-PESA's receipt of a payment, as it was given. */
export type Receipt = Brand<string, 'Receipt'>

/** One token of printable ASCII: M-PESA's have ten letters and digits today, and no rule that it has promised. */
export const RECEIPT_PATTERN = /^[\x21-\x7e]{1,64}$/

/** Parses a receipt that is looked for; null is what is no single text. */
export const parseReceipt = (text: string | null): Parsed<Receipt> =>
  text !== null && RECEIPT_PATTERN.test(text)
    ? valid(text as Receipt)
    : invalid('must be a receipt of M-PESA, like "RKT7S9T2UB"')

/** What M-PESA gives: a letter, then letters and digits, ten in all today. No number of a payer is one. */
const GIVEN = /^[A-Z][A-Z0-9]{5,19}$/

/** Parses a receipt in a file of M-PESA's own, which may give longer ones some day. */
export const parseStatementReceipt = (text: string): Parsed<string> =>
  GIVEN.test(text)
    ? valid(text)
    : invalid('must be a receipt of M-PESA, capital letters and digits like UE4A11B2C3')

/** Parses a receipt that a person typed: of today's length, or half of one would prove a payment. */
export const parseTypedReceipt = (text: string): Parsed<string> =>
  text.length === 10 && GIVEN.test(text)
    ? valid(text)
    : invalid('must be the ten letters and digits of the statement, a letter first, like UE4A11B2C3')

/**
 * Whether a receipt is one of those that test payments have: M-PESA gives none like it, since the second character of its
 * receipts stands for the month, and is one of A to L.
 */
export const isTestReceipt = (receipt: string): boolean => receipt.startsWith('XTES')
