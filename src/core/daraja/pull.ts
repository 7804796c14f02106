import { fromDarajaTimestamp, toDarajaTimestamp } from '../../values/instant.ts'
import { type CallReply, callDaraja, type Daraja } from './call.ts'

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
  /** `rows`: how many the page had, also of those that cannot be read. */
  | { kind: 'page'; transactions: PulledTransaction[]; rows: number }
  | { kind: 'failed'; reply: Exclude<CallReply, { kind: 'success' }> }

/**
 * Registers the account's shortcode for Pull Transactions, which is needed once. `msisdn` is the number that was nominated at
 * Safaricom; null leaves it out. True when it is registered now, also when it was before.
 */
export const registerPull = async (
  daraja: Daraja,
  options: { msisdn: string | null; callbackUrl: string },
): Promise<{ registered: boolean; reply: CallReply }> => {
  const body = {
    ShortCode: Number(daraja.account.shortcode),
    RequestType: 'Pull',
    ...(options.msisdn !== null && { NominatedNumber: options.msisdn }),
    CallBackURL: options.callbackUrl,
  }
  const reply = await callDaraja(
    daraja,
    '/pulltransactions/v1/register',
    body,
    (json) => !('errorCode' in json),
  )
  const registered =
    reply.kind === 'success' || (reply.kind === 'refused' && /already registered/i.test(reply.message))
  return { registered, reply }
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
  const reply = await callDaraja(daraja, '/pulltransactions/v1/query', body, (json) =>
    [FOUND, NONE].includes(String(json['ResponseCode'])),
  )
  if (reply.kind !== 'success') return { kind: 'failed', reply }
  const rows = rowsOf(reply.json['Response'])
  return { kind: 'page', transactions: rows.flatMap(readRow), rows: rows.length }
}

/** East Africa Time, `YYYY-MM-DD HH:mm:ss`. */
const toPullDate = (instant: Date): string =>
  toDarajaTimestamp(instant).replace(/^(....)(..)(..)(..)(..)(..)$/, '$1-$2-$3 $4:$5:$6')

/** The rows come as a list, or as a list inside a list. */
const rowsOf = (response: unknown): unknown[] =>
  Array.isArray(response)
    ? response.flatMap((one: unknown): unknown[] => (Array.isArray(one) ? one : [one]))
    : []

const readRow = (row: unknown): PulledTransaction[] => {
  if (typeof row !== 'object' || row === null) return []
  const fields = new Map<string, unknown>(Object.entries(row))
  const receipt = textOf(fields.get('transactionId'))
  const reference = textOf(fields.get('billreference'))
  const amountKes = Number(textOf(fields.get('amount')) || Number.NaN)
  if (receipt === '' || receipt.length > 64 || reference === '' || !Number.isFinite(amountKes)) return []
  return [{ receipt, reference, amountKes, transactionDate: readDate(textOf(fields.get('trxDate'))) }]
}

/** With an offset it means what it says; without one it is East Africa Time, like every date of Daraja's. */
const readDate = (text: string): Date | null => {
  if (!/(?:Z|[+-]\d\d:?\d\d)$/.test(text)) return fromDarajaTimestamp(text.replaceAll(/\D/g, '').slice(0, 14))
  const instant = new Date(text)
  return Number.isNaN(instant.getTime()) ? null : instant
}

const textOf = (value: unknown): string =>
  typeof value === 'string' || typeof value === 'number' ? String(value) : ''
