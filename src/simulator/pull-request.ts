import { z } from 'zod'
import { fromDarajaTimestamp } from '../values/instant.ts'
import { parseMsisdn } from '../values/msisdn.ts'
import { field, shortcodeField } from './fields.ts'

/** `POST /pulltransactions/v1/register`. */
export const REGISTRATION = z.object({
  ShortCode: shortcodeField,
  RequestType: field((text) => text === 'Pull').optional(),
  NominatedNumber: field((text) => parseMsisdn(text).ok).optional(),
  CallBackURL: field((text) => URL.canParse(text)).optional(),
})

/** `2026-05-04 21:04:10` in East Africa Time; null when it names no instant. */
const instantOf = (text: string): Date | null =>
  /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/.test(text) ? fromDarajaTimestamp(text.replaceAll(/\D/g, '')) : null

const date = field((text) => instantOf(text) !== null).transform((text) => instantOf(text) ?? new Date(0))

/** `POST /pulltransactions/v1/query`. The offset counts rows. */
export const PULL = z.object({
  ShortCode: shortcodeField,
  StartDate: date,
  EndDate: date,
  OffSetValue: field((text) => /^\d{1,9}$/.test(text)).transform(Number),
})
