import type { Brand } from './brand.ts'
import { invalid, type Parsed, valid } from './parsed.ts'

/** A whole number of Kenyan shillings that one STK push may ask for. */
export type Kes = Brand<number, 'Kes'>

/** Daraja's limit for one transaction, in KES (documented; 150,000 was the old one). */
export const MAX_AMOUNT_KES = 250_000

/**
 * Parses a whole amount of 1 to 250,000 KES. `150.0` is 150; null is a text, which most often is a number in quotes.
 */
export const parseKes = (amount: number | null): Parsed<Kes> => {
  if (amount === null) return invalid(`${RANGE}, not a string`)
  return Number.isInteger(amount) && amount >= 1 && amount <= MAX_AMOUNT_KES
    ? valid(amount as Kes)
    : invalid(RANGE)
}

const RANGE = `must be a whole number of KES from 1 to ${MAX_AMOUNT_KES}`
