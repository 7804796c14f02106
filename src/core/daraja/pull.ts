import { fromDarajaTimestamp, toDarajaTimestamp } from '../../values/instant.ts'
import { type Answer, type CallReply, callDaraja, type Daraja, type Unsuccessful } from './call.ts'
import { type Field, fieldOf, type Json, JsonObject, numberOf, textOf, wordOf } from './read-json.ts'
import { readRegistered } from './read-registered.ts'

/** A transaction in M-PESA's own records. */
export type PulledTransaction = {
  receipt: string
  /** What the payer's side gave as AccountReference. */
  reference: string
  amountKes: number
  transactionDate: Date | null
}

/** One page of M-PESA's records, or why there is none. */
export type PulledPage =
  /** `rows`: how many the page had, and `receipts` theirs, also of those that are no payment of ours by what they say. */
  | { kind: 'page'; transactions: PulledTransaction[]; receipts: string[]; rows: number }
  | { kind: 'failed'; reply: Unsuccessful }

/**
 * Registers the account's shortcode for Pull Transactions, which is needed once. `msisdn` is the number that was
 * nominated at Safaricom; null leaves it out. A success when it is registered now, also when it was before, however
 * that is said.
 */
export const registerPull = (
  daraja: Daraja,
  options: { msisdn: string | null; darajaCallbackUrl: string },
): Promise<CallReply<true>> => {
  const body = {
    ShortCode: Number(daraja.account.shortcode),
    RequestType: 'Pull',
    ...(options.msisdn !== null && { NominatedNumber: options.msisdn }),
    CallBackURL: options.darajaCallbackUrl,
  }
  return callDaraja(daraja, { path: '/pulltransactions/v1/register', body, read: readRegistered })
}

const FOUND = '1000'
const NONE = '1001'

/** Asks for the page of M-PESA's records from `from` to `to` that begins at `offset`. */
export const pullPage = async (
  daraja: Daraja,
  options: { from: Date; to: Date; offset: number },
): Promise<PulledPage> => {
  const body = {
    ShortCode: daraja.account.shortcode,
    StartDate: toPullDate(options.from),
    EndDate: toPullDate(options.to),
    OffSetValue: String(options.offset),
  }
  const reply = await callDaraja(daraja, { path: '/pulltransactions/v1/query', body, read: readPage })
  if (reply.kind !== 'success') return { kind: 'failed', reply }
  const rows = reply.value
  return {
    kind: 'page',
    transactions: rows.flatMap(readRow),
    receipts: rows.flatMap((row) => (row instanceof JsonObject ? (receiptOf(row) ?? []) : [])),
    rows: rows.length,
  }
}

const readPage = ({ json }: Answer): Json[] | null => {
  const code = json && textOf(fieldOf(json, 'ResponseCode'))?.trim()
  return json && (code === FOUND || code === NONE) ? rowsOf(fieldOf(json, 'Response')) : null
}

/** East Africa Time, `YYYY-MM-DD HH:mm:ss`. */
const toPullDate = (instant: Date): string =>
  toDarajaTimestamp(instant).replace(/^(....)(..)(..)(..)(..)(..)$/, '$1-$2-$3 $4:$5:$6')

/** The rows come as a list, or as a list inside a list. */
const rowsOf = (response: Field): Json[] =>
  Array.isArray(response)
    ? response.flatMap((one): readonly Json[] => (Array.isArray(one) ? one : [one]))
    : []

const readRow = (row: Json): PulledTransaction[] => {
  if (!(row instanceof JsonObject)) return []
  const receipt = receiptOf(row)
  const reference = textOf(fieldOf(row, 'billreference')) ?? ''
  const amountKes = numberOf(fieldOf(row, 'amount'))
  if (receipt === null || reference === '' || amountKes === null || isReversal(row)) return []
  return [{ receipt, reference, amountKes, transactionDate: readDate(textOf(fieldOf(row, 'trxDate')) ?? '') }]
}

/** What was given back has the reference and the amount of what was paid, and pays nothing. */
const isReversal = (row: JsonObject): boolean => /revers/i.test(textOf(fieldOf(row, 'transactiontype')) ?? '')

const receiptOf = (row: JsonObject): string | null => wordOf(fieldOf(row, 'transactionId'), MAX_RECEIPT)

const MAX_RECEIPT = 64

/** With an offset it means what it says; without one it is East Africa Time, like every date of Daraja's. */
const readDate = (text: string): Date | null => {
  if (!/(?:Z|[+-]\d\d:?\d\d)$/.test(text)) return fromDarajaTimestamp(text.replaceAll(/\D/g, '').slice(0, 14))
  const instant = new Date(text)
  return Number.isNaN(instant.getTime()) ? null : instant
}
