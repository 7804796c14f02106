import type { Clock } from '../runtime/clock.ts'
import { toDarajaTimestamp } from '../values/instant.ts'

/** Hands out what Daraja and M-PESA name things with, in the forms of 2026; every one only once. */
export type Ids = {
  /** A MerchantRequestID or requestId: `2654-4b64-97ff-b827b542881d3130`. */
  requestId(): string
  /** A MerchantRequestID of before 2023: `29115-34620561-1`. */
  oldRequestId(): string
  /** `ws_CO_` + ddMMyyyyHHmmss (East Africa Time) + milliseconds + the payer's nine-digit number. */
  checkoutRequestId(phone: string): string
  /** The same of before 2022: with one digit after the milliseconds, and no number. */
  oldCheckoutRequestId(): string
  /** A receipt for a payment made at `paidAt`: letters for year and month, a character for the day, seven more. */
  receipt(paidAt: Date): string
  /** An OAuth access token: 28 letters and digits. */
  accessToken(): string
}

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ'
const RECEIPT_TAILS = 36 ** 7
/** Shares no factor with 36, so that adding it again and again passes through every tail before one comes back. */
const RECEIPT_STEP = 30_517_578_125
const FIRST_RECEIPT_YEAR = 2006

const letter = (index: number): string => String.fromCharCode('A'.charCodeAt(0) + (index % 26))

/** Creates the source of ids. `random` gives numbers from 0 up to 1. */
export const createIds = (options: { clock: Clock; random: () => number }): Ids => {
  const { clock, random } = options
  const hex = (digits: number): string =>
    Math.floor(random() * 16 ** digits)
      .toString(16)
      .padStart(digits, '0')

  // A random UUID without its first group, then a counter: that is how the recorded ids look.
  let requests = Math.floor(random() * 9000) + 1000
  const requestId = (): string => {
    requests += 1
    return `${hex(4)}-4${hex(3)}-${'89ab'.charAt(Math.floor(random() * 4))}${hex(3)}-${hex(12)}${requests}`
  }
  const oldRequestId = (): string => {
    requests += 1
    return `${Math.floor(random() * 90_000) + 10_000}-${10_000_000 + requests}-1`
  }

  // The id has room for a millisecond and a number only. Every push therefore gets a millisecond of its own: under more
  // than a thousand pushes a second the ids run ahead of the clock, and stay unique.
  let lastMs = 0
  const nextInstant = (): { ddMMyyyyHHmmss: string; ms: number } => {
    lastMs = Math.max(clock().getTime(), lastMs + 1)
    const digits = toDarajaTimestamp(new Date(lastMs))
    const ddMMyyyyHHmmss = `${digits.slice(6, 8)}${digits.slice(4, 6)}${digits.slice(0, 4)}${digits.slice(8)}`
    return { ddMMyyyyHHmmss, ms: lastMs % 1000 }
  }
  const checkoutRequestId = (phone: string): string => {
    const { ddMMyyyyHHmmss, ms } = nextInstant()
    return `ws_CO_${ddMMyyyyHHmmss}${ms}${phone.slice(3)}`
  }
  const oldCheckoutRequestId = (): string => {
    const { ddMMyyyyHHmmss, ms } = nextInstant()
    return `ws_CO_${ddMMyyyyHHmmss}${String(ms).padStart(3, '0')}${Math.floor(random() * 10)}`
  }

  // The clock takes part, so that a restart with the same seed does not issue the day's receipts a second time.
  let tail = (Math.floor(random() * RECEIPT_TAILS) + clock().getTime()) % RECEIPT_TAILS
  const receipt = (paidAt: Date): string => {
    tail = (tail + RECEIPT_STEP) % RECEIPT_TAILS
    const digits = toDarajaTimestamp(paidAt)
    const year = letter(Number(digits.slice(0, 4)) - FIRST_RECEIPT_YEAR)
    const month = letter(Number(digits.slice(4, 6)) - 1)
    const day = ALPHABET.charAt(Number(digits.slice(6, 8)))
    return `${year}${month}${day}${tail.toString(36).toUpperCase().padStart(7, '0')}`
  }

  const accessToken = (): string =>
    Array.from({ length: 28 }, () => ALPHABET.charAt(Math.floor(random() * ALPHABET.length))).join('')

  return { requestId, oldRequestId, checkoutRequestId, oldCheckoutRequestId, receipt, accessToken }
}
