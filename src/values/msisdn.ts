import type { Brand } from './brand.ts'
import { invalid, type Parsed, valid } from './parsed.ts'

/** A payer's number in M-PESA's form: 254, then 7 or 1, then eight digits. */
export type Msisdn = Brand<string, 'Msisdn'>

/** What a payer's number looks like. */
export const MSISDN_PATTERN = /^254[17]\d{8}$/

/** What stands for the number of a payer that was erased: no payer has it. */
export const ERASED_MSISDN = '254000000000'

/**
 * Parses `^254[17]\d{8}$` (design, "REST"); nothing is repaired, for a guessed number prompts somebody else. Null
 * is what is no string.
 */
export const parseMsisdn = (text: string | null): Parsed<Msisdn> =>
  text !== null && MSISDN_PATTERN.test(text)
    ? valid(text as Msisdn)
    : // No whole number, for where it is read at a shell it would be masked.
      invalid('must be a string of 12 digits that starts with 2547 or 2541, like "2547XXXXXXXX"')

/** The number as logs may show it: `2547*****678`. */
export const maskMsisdn = (msisdn: string): string => `${msisdn.slice(0, 4)}*****${msisdn.slice(-3)}`
