/**
 * Text from outside as Postgres and every reader of JSON can carry it: without NUL, and with U+FFFD in the place of
 * each half of a character that stands alone. JSON can write such a half (`"\ud83d"`), UTF-8 cannot, and PHP's
 * `json_decode` refuses whole documents for one.
 */
export const cleanText = (text: string): string => text.replaceAll('\u0000', '').toWellFormed()

/** `cleanText` of at most `length` UTF-16 code units; a character that the cut would halve is left out whole. */
export const truncateText = (text: string, length: number): string => {
  const clean = cleanText(text)
  if (clean.length <= length) return clean
  return clean.slice(0, isHighSurrogate(clean.charCodeAt(length - 1)) ? length - 1 : length)
}

const isHighSurrogate = (code: number): boolean => code >= 0xd800 && code <= 0xdbff
