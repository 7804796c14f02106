import { cleanText } from '../../values/outside-text.ts'

/** How much of a partner's answer is kept, bytes. */
export const KEPT_BYTES = 4096

/** Longer runs of digits may be a phone number. */
const DIGIT_RUNS = /\d{7,}/g

/**
 * Renders what is kept of a partner's answer: text of at most `KEPT_BYTES` bytes, with runs of seven and more digits masked
 * (they may be phone numbers, and so is a run that the cut may have shortened), clean, and without a character that the cut
 * has halved. Null for an empty answer.
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
