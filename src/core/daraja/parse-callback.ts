import { fromDarajaTimestamp } from '../../values/instant.ts'
import {
  AMBIGUOUS,
  digitsOf,
  type Field,
  fieldOf,
  type Json,
  JsonNumber,
  JsonObject,
  numberOf,
  readJson,
  wordOf,
} from './read-json.ts'
import { readResult } from './read-result.ts'

/**
 * What the bytes of a callback come to: as far as it is understood, each field by itself, null where it is not there or
 * cannot be read.
 */
export type ParsedCallback =
  | {
      kind: 'understood'
      outcome: 'successful' | 'failed'
      merchantRequestId: string | null
      checkoutRequestId: string | null
      /** "0" is paid, whatever else the body holds; anything else is a failure. */
      resultCode: string
      resultDesc: string
      /** Only of a paid one. */
      receipt: string | null
      /** How much money moved, KES. That nothing moved is what a failure is, and not said of one. */
      amountKes: number | null
      /** Only of a paid one. */
      transactionDate: Date | null
      /** The payer's whole number, 254 and nine digits; null also where it came masked or hashed. */
      payerMsisdn: string | null
    }
  /**
   * It settles nothing: what became of the payment is to be asked for. `reason` is for the log, and holds nothing of
   * the body.
   */
  | { kind: 'not_understood'; reason: string }

/**
 * Reads the bytes of a callback; never throws, whatever they are. Items are found by name, numbers may be strings, and
 * only ResultCode 0 means paid: failures may carry metadata too. One that says a thing twice, and differently, is not
 * understood.
 */
export const parseCallback = (bytes: Uint8Array): ParsedCallback => {
  const content = readJson(bytes)
  if (content === undefined) return notUnderstood('no JSON')
  const callback = objectIn(objectIn(content, 'Body'), 'stkCallback')
  if (callback === null) return notUnderstood('no stkCallback')
  const [code, desc, merchant, checkout, metadata] = FIELDS.map((name) => fieldOf(callback, name))
  if ([code, desc, merchant, checkout, metadata].includes(AMBIGUOUS)) return notUnderstood('a field twice')
  const result = readResult({ code, desc })
  if (result.kind === 'unsettled') return notUnderstood(result.reason)
  const items = readItems(metadata)
  if ([...items.values()].includes(AMBIGUOUS)) return notUnderstood('an item twice')
  const isPaid = result.kind === 'paid'
  const amountKes = numberOf(items.get('Amount'))
  return {
    kind: 'understood',
    outcome: isPaid ? 'successful' : 'failed',
    merchantRequestId: wordOf(merchant, MAX_ID),
    checkoutRequestId: wordOf(checkout, MAX_ID),
    resultCode: result.resultCode,
    resultDesc: result.resultDesc,
    receipt: isPaid ? wordOf(items.get('MpesaReceiptNumber'), MAX_RECEIPT) : null,
    amountKes: !isPaid && amountKes === 0 ? null : amountKes,
    transactionDate: isPaid ? fromDarajaTimestamp(digitsOf(items.get('TransactionDate')) ?? '') : null,
    payerMsisdn: toWholeMsisdn(digitsOf(items.get('PhoneNumber'))),
  }
}

const FIELDS = ['ResultCode', 'ResultDesc', 'MerchantRequestID', 'CheckoutRequestID', 'CallbackMetadata']

const MAX_ID = 128
const MAX_RECEIPT = 64

const notUnderstood = (reason: string): ParsedCallback => ({ kind: 'not_understood', reason })

/** The object under a name; null when there is none, or more than one value has the name. */
const objectIn = (value: Json | null, name: string): JsonObject | null => {
  const inner = value instanceof JsonObject ? fieldOf(value, name) : undefined
  return inner instanceof JsonObject ? inner : null
}

/** The values of the items by their names. What is no item with a name and a value is passed over. */
const readItems = (metadata: Field): Map<string, Field> => {
  const items = new Map<string, Field>()
  for (const item of listOf(metadata)) {
    if (!(item instanceof JsonObject)) continue
    const name = fieldOf(item, 'Name')
    const value = fieldOf(item, 'Value')
    if (typeof name !== 'string' || value === undefined || !ITEMS.has(name)) continue
    items.set(name, items.has(name) && !isSame(items.get(name), value) ? AMBIGUOUS : value)
  }
  return items
}

/** The items, also one that stands there without a list. */
const listOf = (metadata: Field): readonly Json[] => {
  const lists = metadata instanceof JsonObject ? (metadata.members.get('Item') ?? []) : []
  return lists.flatMap((list): readonly Json[] => (Array.isArray(list) ? list : [list]))
}

/** The items that are read; what others say twice is nobody's concern. */
const ITEMS = new Set(['Amount', 'MpesaReceiptNumber', 'TransactionDate', 'PhoneNumber'])

const isSame = (one: Field, other: Field): boolean =>
  one instanceof JsonNumber && other instanceof JsonNumber ? one.text === other.text : one === other

const toWholeMsisdn = (digits: string | null): string | null =>
  digits !== null && /^254\d{9}$/.test(digits) ? digits : null
