import { cleanText } from '../../values/outside-text.ts'

/** How much of a partner's answer is kept, bytes. */
export const KEPT_BYTES = 4096

/** Longer runs of digits may be a phone number. */
const DIGIT_RUNS = /\d{7,}/g

/**
 * Renders what is kept of a partner's answer: text of at most `KEPT_BYTES` bytes, with runs of seven and more digits
 * masked (they may be phone numbers, and so is a run that the cut may have shortened), clean, and without a character
 * that the cut has halved. Null for an empty answer.
 */
export const renderAnswer = (bytes: Buffer): string | null => {
  const isCut = bytes.length > KEPT_BYTES
  // A decoder that expects more keeps the beginning of a character to itself.
  const text = new TextDecoder().decode(bytes.subarray(0, KEPT_BYTES), { stream: isCut })
  const masked = cleanText(text).replaceAll(DIGIT_RUNS, mask)
  const whole = isCut ? masked.replace(/(?<!\d)\d+$/, mask) : masked
  return whole === '' ? null : whole
}

const mask = (digits: string): string => '*'.repeat(digits.length)

/** `Retry-After` as an HTTP date in the one form that may be sent (RFC 9110, 5.6.7), or the two obsolete ones. */
const HTTP_DATE = /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? /

/**
 * Reads a `Retry-After` header (RFC 9110, 10.2.3): whole seconds, or an HTTP date. Returns ms from `now`, never less
 * than 0; null when there is none or it is not readable.
 */
export const parseRetryAfter = (header: string | undefined, now: Date): number | null => {
  const text = header?.trim() ?? ''
  if (/^\d{1,12}$/.test(text)) return Number(text) * 1000
  if (!HTTP_DATE.test(text)) return null
  // The obsolete asctime form names no zone, and is UTC all the same.
  const instantMs = Date.parse(text.endsWith('GMT') ? text : `${text} GMT`)
  return Number.isNaN(instantMs) ? null : Math.max(0, instantMs - now.getTime())
}
