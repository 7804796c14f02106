import type { Clock } from '../runtime/clock.ts'
import { toDarajaTimestamp } from '../values/instant.ts'

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ'
const RECEIPT_TAILS = 36 ** 7
/** Shares no factor with 36, so that adding it again and again passes through every tail before one comes back. */
const RECEIPT_STEP = 30_517_578_125
const FIRST_RECEIPT_YEAR = 2006

export type Ids = ReturnType<typeof createIds>

/**
 * Creates the source of what Daraja and M-PESA name things with, in the forms of 2026; every one comes only once.
 * `random` gives numbers from 0 up to 1.
 */
export const createIds = (options: { clock: Clock; random: () => number }) => {
  const { clock, random } = options
  const below = (end: number): number => Math.floor(random() * end)
  const hex = (digits: number): string =>
    below(16 ** digits)
      .toString(16)
      .padStart(digits, '0')
  const letter = (index: number): string => ALPHABET.charAt(10 + (index % 26))

  let requests = below(9000) + 1000
  // The clock takes part, so that a restart with the same seed does not issue the day's receipts a second time.
  let tail = (below(RECEIPT_TAILS) + clock().getTime()) % RECEIPT_TAILS
  let lastMs = 0

  /**
   * ddMMyyyyHHmmss in East Africa Time, and the millisecond. An id has room for a millisecond and a number only, so
   * every push gets a millisecond of its own: under more than a thousand pushes a second the ids run ahead of the
   * clock, and stay unique.
   */
  const nextInstant = (): { digits: string; ms: number } => {
    lastMs = Math.max(clock().getTime(), lastMs + 1)
    const timestamp = toDarajaTimestamp(new Date(lastMs))
    const digits = timestamp.replace(/^(....)(..)(..)/, '$3$2$1')
    return { digits, ms: lastMs % 1000 }
  }

  return {
    /**
     * A MerchantRequestID or requestId: a random UUID without its first group, then a counter, as the recorded ids
     * look.
     */
    requestId: (): string => {
      requests += 1
      return `${hex(4)}-4${hex(3)}-${'89ab'.charAt(below(4))}${hex(3)}-${hex(12)}${requests}`
    },

    /** A MerchantRequestID of before 2023: `29115-34620561-1`. */
    oldRequestId: (): string => {
      requests += 1
      return `${below(90_000) + 10_000}-${10_000_000 + requests}-1`
    },

    /** `ws_CO_` + the instant + the payer's nine-digit number. */
    checkoutRequestId: (phone: string): string => {
      const { digits, ms } = nextInstant()
      return `ws_CO_${digits}${ms}${phone.slice(3)}`
    },

    /** The same of before 2022: with one digit after the milliseconds, and no number. */
    oldCheckoutRequestId: (): string => {
      const { digits, ms } = nextInstant()
      return `ws_CO_${digits}${String(ms).padStart(3, '0')}${below(10)}`
    },

    /** A receipt for a payment made at `paidAt`: letters for year and month, a character for the day, seven more. */
    receipt: (paidAt: Date): string => {
      tail = (tail + RECEIPT_STEP) % RECEIPT_TAILS
      const digits = toDarajaTimestamp(paidAt)
      const year = letter(Number(digits.slice(0, 4)) - FIRST_RECEIPT_YEAR)
      const month = letter(Number(digits.slice(4, 6)) - 1)
      const day = ALPHABET.charAt(Number(digits.slice(6, 8)))
      return `${year}${month}${day}${tail.toString(36).toUpperCase().padStart(7, '0')}`
    },

    /** An OAuth access token: 28 letters and digits. */
    accessToken: (): string =>
      Array.from({ length: 28 }, () => ALPHABET.charAt(below(ALPHABET.length))).join(''),
  }
}
