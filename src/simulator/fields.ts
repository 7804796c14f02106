import { z } from 'zod'
import { fromDarajaTimestamp } from '../values/instant.ts'
import { type DarajaError, INVALID_PAYLOAD, invalidField, WRONG_CREDENTIALS } from './daraja-errors.ts'

export type Read<Value> = { ok: true; value: Value } | { ok: false; error: DarajaError }

/** A field that is there, as a string or a number, and whose text is accepted. */
export const field = (accepts: (text: string) => boolean) =>
  z.union([z.string(), z.number()]).transform(String).refine(accepts)

export const shortcodeField = field((text) => /^\d{5,7}$/.test(text))

/** What every request about a push must say: who asks, and when. */
export const SIGNATURE = {
  BusinessShortCode: shortcodeField,
  Password: field((text) => text !== ''),
  // Whether as East Africa Time or as UTC, the digits must name an instant.
  Timestamp: field((text) => fromDarajaTimestamp(text) !== null),
}

/** Fields that Daraja's message calls otherwise. */
const NAMES_IN_MESSAGES = new Map([['TransactionDesc', 'Remarks']])

/**
 * Reads a request's bytes as JSON of the given shape. The first field, in the shape's order, that is missing or wrong is
 * named in the refusal; fields that the shape does not know are ignored.
 */
export const readFields = <Shape extends z.ZodObject>(bytes: unknown, shape: Shape): Read<z.infer<Shape>> => {
  const parsed = shape.safeParse(parseJson(bytes))
  if (parsed.success) return { ok: true, value: parsed.data }
  const wrong = parsed.error.issues[0]?.path[0]
  if (typeof wrong !== 'string') return { ok: false, error: INVALID_PAYLOAD }
  return { ok: false, error: invalidField(NAMES_IN_MESSAGES.get(wrong) ?? wrong) }
}

const parseJson = (bytes: unknown): unknown => {
  try {
    return JSON.parse(String(bytes))
  } catch {
    return undefined
  }
}

/**
 * Checks that the password is base64 of shortcode + passkey + timestamp; null when it is. The simulator knows no passkeys:
 * any that is not empty is good.
 */
export const passwordRefusal = (signed: {
  BusinessShortCode: string
  Password: string
  Timestamp: string
}): DarajaError | null => {
  const { BusinessShortCode: shortcode, Timestamp: timestamp } = signed
  const decoded = Buffer.from(signed.Password, 'base64').toString()
  const isRight =
    decoded.startsWith(shortcode) &&
    decoded.endsWith(timestamp) &&
    decoded.length > shortcode.length + timestamp.length
  return isRight ? null : WRONG_CREDENTIALS
}
