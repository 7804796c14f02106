/** How much of a partner's answer is kept, bytes. */
export const KEPT_BYTES = 4096

/** Longer runs of digits may be a phone number. */
const DIGIT_RUNS = /\d{7,}/g

/**
 * Renders what is kept of a partner's answer: text of at most `KEPT_BYTES` bytes, with runs of seven and more digits masked
 * (they may be phone numbers, and so is a run that the cut may have shortened), and without NUL, which Postgres does not
 * take. Null for an empty answer.
 */
export const renderAnswer = (bytes: Buffer): string | null => {
  const text = bytes.subarray(0, KEPT_BYTES).toString('utf8').replaceAll('\u0000', '')
  const masked = text.replaceAll(DIGIT_RUNS, mask)
  const whole = bytes.length > KEPT_BYTES ? masked.replace(/\d+$/, mask) : masked
  return whole === '' ? null : whole
}

const mask = (digits: string): string => '*'.repeat(digits.length)
