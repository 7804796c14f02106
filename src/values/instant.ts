import { invalid, type Parsed, valid } from './parsed.ts'

/** East Africa Time is UTC+3 all year round. */
const EAT_OFFSET_MS = 3 * 60 * 60 * 1000

/** An instant as the guide writes it: UTC, whole seconds, `2025-05-22T08:47:05Z`. */
export const toGuideInstant = (instant: Date): string => `${instant.toISOString().slice(0, 19)}Z`

/** An instant of ISO 8601 with its zone: a day, a time and `Z` or an offset. */
export const INSTANT_PATTERN = /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:\d\d)$/

/**
 * Parses an instant of ISO 8601 with its zone; null is what is no single text. A `+` that was not percent-encoded in a
 * URL arrives as a blank, where nothing else can have stood.
 */
export const parseInstant = (text: string | null): Parsed<Date> => {
  const whole = text?.replace(/ (?=\d\d:\d\d$)/, '+') ?? ''
  const instant = new Date(INSTANT_PATTERN.test(whole) ? whole : Number.NaN)
  return !Number.isNaN(instant.getTime()) && isRealDay(whole)
    ? valid(instant)
    : invalid('must be an instant with its zone, like "2025-05-22T08:00:00Z" or "2025-05-22T11:00:00+03:00"')
}

/** Date rolls 31 February over into March. */
const isRealDay = (text: string): boolean =>
  new Date(`${text.slice(0, 10)}T00:00:00Z`).toISOString().startsWith(text.slice(0, 10))

/** An instant as Daraja writes it: East Africa Time without an offset, `YYYYMMDDHHmmss`. */
export const toDarajaTimestamp = (instant: Date): string =>
  new Date(instant.getTime() + EAT_OFFSET_MS).toISOString().replaceAll(/\D/g, '').slice(0, 14)

/** The instant that Daraja's `YYYYMMDDHHmmss` (East Africa Time, digits or number) names; null when it names none. */
export const fromDarajaTimestamp = (digits: string): Date | null => {
  const parts = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)$/.exec(digits)
  if (!parts) return null
  const [, year, month, day, hour, minute, second] = parts
  const instant = new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}+03:00`)
  // Date rolls 31 February over into March; only an instant that reads back the same was meant.
  return Number.isNaN(instant.getTime()) || toDarajaTimestamp(instant) !== digits ? null : instant
}
