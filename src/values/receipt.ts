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

/**
 * Whether a receipt is one of those that test payments have: M-PESA gives none like it, since the second character of its
 * receipts stands for the month, and is one of A to L.
 */
export const isTestReceipt = (receipt: string): boolean => receipt.startsWith('XTES')
