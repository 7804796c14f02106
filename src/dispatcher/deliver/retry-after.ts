/** `Retry-After` as an HTTP date in the one form that may be sent (RFC 9110, 5.6.7), or the two obsolete ones. */
const HTTP_DATE = /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? /

/**
 * Reads a `Retry-After` header (RFC 9110, 10.2.3): whole seconds, or an HTTP date. Returns ms from `now`, never less than 0;
 * null when there is none or it is not readable.
 */
export const parseRetryAfter = (header: string | undefined, now: Date): number | null => {
  const text = header?.trim() ?? ''
  if (/^\d{1,12}$/.test(text)) return Number(text) * 1000
  if (!HTTP_DATE.test(text)) return null
  // The obsolete asctime form names no zone, and is UTC all the same.
  const instantMs = Date.parse(text.endsWith('GMT') ? text : `${text} GMT`)
  return Number.isNaN(instantMs) ? null : Math.max(0, instantMs - now.getTime())
}
