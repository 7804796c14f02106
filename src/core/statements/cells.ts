import { fromDarajaTimestamp } from '../../values/instant.ts'
import { invalid, type Parsed, valid } from '../../values/parsed.ts'
import type { DaysSince } from './rows.ts'

/** `25-11-2026`, `25/11/2026` or `2026-11-25`, and a time of day with or without seconds, of 24 hours or of 12. */
const DAY_FIRST = /^(?<day>\d{1,2})[-/](?<month>\d{1,2})[-/](?<year>\d{4})[ T]+(?<time>\S.*)$/
const YEAR_FIRST = /^(?<year>\d{4})[-/](?<month>\d{1,2})[-/](?<day>\d{1,2})[ T]+(?<time>\S.*)$/
const TIME = /^(\d{1,2}):(\d\d)(?::(\d\d)(?:\.\d{1,6})?)?(?: ?([AP])M)?$/i

/**
 * A day and time as Excel stores it: days since 30 December 1899, or since 1 January 1904 where its workbook says so; the
 * time as a part of a day.
 */
const SERIAL = /^\d{5}(?:\.\d{1,17})?$/
const SERIAL_OF_1970 = { 1900: 25_569, 1904: 24_107 }
const SECONDS_PER_DAY = 86_400
const EAT_OFFSET_SECONDS = 3 * 3_600

/** Parses a time as a statement has it, which is East Africa Time, into the instant. The day comes before the month. */
export const parseStatementTime = (text: string, daysSince: DaysSince): Parsed<Date> => {
  if (SERIAL.test(text)) return valid(fromSerial(Number(text) - SERIAL_OF_1970[daysSince]))
  const parts = (DAY_FIRST.exec(text) ?? YEAR_FIRST.exec(text))?.groups
  const digits = parts && digitsOf(parts)
  const instant = digits === null || digits === undefined ? null : fromDarajaTimestamp(digits)
  return instant === null
    ? invalid('must be a day and a time in East Africa Time, like 25-11-2026 14:03:59 or 2026-11-25 14:03:59')
    : valid(instant)
}

/** `days` since 1970. */
const fromSerial = (days: number): Date =>
  new Date((Math.round(days * SECONDS_PER_DAY) - EAT_OFFSET_SECONDS) * 1000)

/** As Daraja writes instants. */
const digitsOf = (parts: Readonly<Record<string, string | undefined>>): string | null => {
  const { day = '', month = '', year = '', time = '' } = parts
  const [, hour = '', minute = '', second = '00', half] = TIME.exec(time.trim()) ?? []
  const hourOfDay = half === undefined ? Number(hour) : toHourOfDay(Number(hour), half.toUpperCase())
  if (hour === '' || hourOfDay === null) return null
  return [
    year,
    month.padStart(2, '0'),
    day.padStart(2, '0'),
    `${hourOfDay}`.padStart(2, '0'),
    minute,
    second,
  ].join('')
}

const toHourOfDay = (hour: number, half: string): number | null =>
  hour < 1 || hour > 12 ? null : (hour % 12) + (half === 'P' ? 12 : 0)

/**
 * Twelve digits at most: more would be no safe integer of cents. None begins with a 0 that more follow, as what stands behind
 * the comma of an amount does: `000.00` of `2,000.00`. Three digits behind the point are no cents, but thousands as many
 * countries write them: `1.500` is 1,500 there.
 */
const AMOUNT = /^(-?)(?:KES ?)?(-?)([1-9]\d{0,2}(?:,\d{3}){1,3}|[1-9]\d{0,11}|0)(?:\.(\d{1,2}|\d{4,}))?$/i

/**
 * Parses an amount of KES as a statement has it, `1,500.00`, into cents; nothing and `-` are 0. Excel stores `152.20` as
 * `152.19999999999999`: what has more digits is the nearest cent.
 */
export const parseStatementAmount = (text: string): Parsed<number> => {
  if (text === '' || text === '-') return valid(0)
  const [, sign, innerSign, whole, decimals = '0'] = AMOUNT.exec(text) ?? []
  if (whole === undefined) return invalid('must be an amount of KES, like 1,500.00')
  const amount = Number(whole.replaceAll(',', '')) * 100 + Math.round(Number(`0.${decimals}`) * 100)
  return valid(sign === '-' || innerSign === '-' ? -amount : amount)
}

/** Parses what became of a line: M-PESA's words are not listed anywhere, but none has a digit. */
export const parseStatementStatus = (text: string): Parsed<string> => {
  if (text === '') return invalid('is empty: is the file cut short?')
  return STATUS.test(text) ? valid(text) : invalid('must be a word of letters, like Completed')
}

const STATUS = /^\p{L}[\p{L} ]{1,31}$/u
