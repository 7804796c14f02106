/** East Africa Time is UTC+3 all year round. */
const EAT_OFFSET_MS = 3 * 60 * 60 * 1000

/** An instant as the guide writes it: UTC, whole seconds, `2025-05-22T08:47:05Z`. */
export const toGuideInstant = (instant: Date): string => `${instant.toISOString().slice(0, 19)}Z`

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
