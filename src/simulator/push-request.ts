import { z } from 'zod'
import { parseKes } from '../values/amount.ts'
import { fromDarajaTimestamp } from '../values/instant.ts'
import { parseMsisdn } from '../values/msisdn.ts'
import { field, passwordRefusal, type Read, readFields, SIGNATURE, shortcodeField } from './fields.ts'

/** A push that passed every check. `warnings`: where it leaves the documentation in ways that Daraja lets pass. */
export type Push = {
  shortcode: string
  phone: string
  amountKes: number
  accountReference: string
  callbackUrl: string
  warnings: string[]
}

/** Daraja refuses a CallBackURL that holds one of these anywhere, in upper or lower case. */
const FORBIDDEN_IN_CALLBACK_URL = /mpesa|safaricom|exe|exec|cmd|sql|query/i
const MAX_ACCOUNT_REFERENCE_CHARACTERS = 12
const MAX_DESCRIPTION_CHARACTERS = 13
const EAT_OFFSET_MS = 3 * 60 * 60 * 1000
/** How far a sender's clock may be off before its timestamp is called wrong. */
const TIMESTAMP_TOLERANCE_MS = 5 * 60 * 1000

const isAmount = (text: string): boolean => /^\d+$/.test(text) && parseKes(Number(text)).ok

const isCallbackUrl = (text: string): boolean =>
  /^https?:\/\//i.test(text) && URL.canParse(text) && !FORBIDDEN_IN_CALLBACK_URL.test(text)

const PUSH = z.object({
  ...SIGNATURE,
  TransactionType: field((text) => /^(CustomerPayBillOnline|CustomerBuyGoodsOnline)$/.test(text.trim())),
  Amount: field(isAmount),
  PartyA: field((text) => parseMsisdn(text).ok),
  PartyB: shortcodeField,
  PhoneNumber: field((text) => parseMsisdn(text).ok),
  CallBackURL: field(isCallbackUrl),
  AccountReference: field((text) => text !== '' && text.length <= MAX_ACCOUNT_REFERENCE_CHARACTERS),
  // Documented as optional; recorded: a push without it is refused.
  TransactionDesc: field((text) => text !== ''),
})

/**
 * Reads the bytes of a push. Strict where Daraja is known to refuse; where independent clients get away with more than the
 * documentation allows, it warns instead. `now` is held against the timestamp.
 */
export const readPush = (bytes: unknown, now: Date): Read<Push> => {
  const read = readFields(bytes, PUSH)
  if (!read.ok) return read
  const wrongPassword = passwordRefusal(read.value)
  if (wrongPassword) return { ok: false, error: wrongPassword }
  const push: Push = {
    shortcode: read.value.BusinessShortCode,
    phone: read.value.PhoneNumber,
    amountKes: Number(read.value.Amount),
    accountReference: read.value.AccountReference,
    callbackUrl: read.value.CallBackURL,
    warnings: warningsAbout(read.value, now),
  }
  return { ok: true, value: push }
}

const warningsAbout = (fields: z.infer<typeof PUSH>, now: Date): string[] => {
  const warnings: string[] = []
  if (!isNear(fields.Timestamp, now)) {
    warnings.push('Timestamp is now neither in East Africa Time nor in UTC')
  }
  if (fields.TransactionType !== fields.TransactionType.trim()) {
    warnings.push('TransactionType has blanks around it')
  }
  if (!/^[A-Za-z0-9]+$/.test(fields.AccountReference)) {
    warnings.push('AccountReference holds more than letters and digits')
  }
  if (fields.TransactionDesc.length > MAX_DESCRIPTION_CHARACTERS) {
    warnings.push(`TransactionDesc is longer than ${MAX_DESCRIPTION_CHARACTERS} characters`)
  }
  return warnings
}

/** Whether the digits, read as East Africa Time or as UTC, name about this instant. */
const isNear = (timestamp: string, now: Date): boolean => {
  const asEatMs = fromDarajaTimestamp(timestamp)?.getTime() ?? 0
  return [asEatMs, asEatMs + EAT_OFFSET_MS].some(
    (readMs) => Math.abs(readMs - now.getTime()) <= TIMESTAMP_TOLERANCE_MS,
  )
}
