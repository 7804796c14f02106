import { sql } from 'kysely'
import type { Database } from '../../database/connect.ts'
import { givenRows } from '../../database/given-rows.ts'
import { crashPoint } from '../../runtime/crash-point.ts'
import { type AddressList, includesAddress } from '../../values/address-list.ts'
import type { ReceivedCallback } from './callback.ts'

// A callback from an unknown sender (`stranger` in settings, tables, metrics and the log) names no payment of ours and
// comes from no address of Daraja's. Anybody can send one, of any size, at any rate. A few of them, truncated, are
// stored for operators; all of them would fill the disk.

/** What a process stores of unknown senders' callbacks. */
export type StrangerLimits = {
  /** How many in a minute. */
  perMinute: number
  /** How many bytes in a minute, all that is kept of them counted. */
  bytesPerMinute: number
  /** How many bytes of one body, and as many of its headers. */
  maxBytes: number
}

/** The decision on an unknown sender's callback: what is stored of it, or which budget is spent. */
export type StrangerVerdict =
  | { kind: 'kept'; callback: ReceivedCallback }
  | { kind: 'turned_away'; spent: 'number' | 'bytes'; isFirst: boolean }

/** What a row, its index entries and its record cost beside what they hold, bytes. */
const ROW_BYTES = 256

const WINDOW_MS = 60_000

/**
 * Says whether a callback is from an unknown sender. One from an address of Daraja's is not: it is Daraja's, even when
 * its token is not known.
 */
export const isStranger = (list: AddressList, callback: ReceivedCallback): boolean =>
  callback.payment_id === null && !includesAddress(list, callback.source_address)

/**
 * The budget of this process for unknown senders' callbacks, number and bytes, by the minute. One within it is returned
 * truncated; the first that is refused for a reason in its minute is marked, so that the log has one line of it.
 * `nowMs` is a monotonic time in ms.
 */
export const createStrangersBudget = (
  limits: StrangerLimits,
  nowMs: () => number,
): ((callback: ReceivedCallback) => StrangerVerdict) => {
  const fresh = () => ({ beganMs: nowMs(), kept: 0, bytes: 0, reported: new Set<string>() })
  let minute = fresh()

  const refuse = (spent: 'number' | 'bytes'): StrangerVerdict => {
    const isFirst = !minute.reported.has(spent)
    minute.reported.add(spent)
    return { kind: 'turned_away', spent, isFirst }
  }

  return (whole) => {
    if (nowMs() - minute.beganMs >= WINDOW_MS) minute = fresh()
    const callback = truncateStranger(whole, limits.maxBytes)
    const bytes = bytesOf(callback)
    if (minute.kept >= limits.perMinute) return refuse('number')
    if (minute.bytes + bytes > limits.bytesPerMinute) return refuse('bytes')
    minute.kept += 1
    minute.bytes += bytes
    return { kind: 'kept', callback }
  }
}

/** What is stored of an unknown sender's callback: the beginning of its body, and its first headers that fit. */
export const truncateStranger = (callback: ReceivedCallback, maxBytes: number): ReceivedCallback => {
  let left = maxBytes
  const fit = callback.headers.findIndex((header) => {
    left -= headerBytes(header)
    return left < 0
  })
  return {
    ...callback,
    body_bytes: callback.body.length,
    // A copy: a view would keep the whole of what came in memory.
    body: Uint8Array.from(callback.body.subarray(0, maxBytes)),
    headers: fit === -1 ? callback.headers : callback.headers.slice(0, fit),
  }
}

const headerBytes = ([name, value]: [string, string]): number =>
  Buffer.byteLength(name) + Buffer.byteLength(value)

const bytesOf = ({ body, headers, source_address }: ReceivedCallback): number =>
  headers.reduce((sum, header) => sum + headerBytes(header), ROW_BYTES + body.length + source_address.length)

/** From which addresses callbacks are taken. */
export type CallbackSources = {
  /** `off`: from all; `log`: from all, and the others are reported; `enforce`: the others are refused. */
  mode: 'off' | 'log' | 'enforce'
  list: AddressList
  strangers: StrangerLimits
}

/** What a source may do: call back, call back and be reported, or be kept without being believed. */
export type SourceVerdict = 'taken' | 'reported' | 'refused'

export const judgeSource = ({ mode, list }: CallbackSources, address: string): SourceVerdict => {
  if (mode === 'off' || includesAddress(list, address)) return 'taken'
  return mode === 'log' ? 'reported' : 'refused'
}

/**
 * Stores unknown senders' callbacks in one commit, in a table of their own: `callbacks` is deleted by the month, and
 * what anybody can write must not be kept there as long as what Daraja sent. One that is stored already, by its id,
 * changes nothing.
 */
export const insertStrangers = async (
  database: Database,
  strangers: readonly ReceivedCallback[],
): Promise<void> => {
  crashPoint('strangers.before_commit', strangers.length)
  const given = givenRows(strangers, {
    id: ['stranger_callbacks.id', (one) => one.id],
    received_at: ['stranger_callbacks.received_at', (one) => one.received_at],
    is_refused: ['stranger_callbacks.is_refused', (one) => one.is_refused],
    source_address: ['stranger_callbacks.source_address', (one) => one.source_address],
    headers: ['text', (one) => JSON.stringify(one.headers)],
    body: ['stranger_callbacks.body', (one) => Buffer.from(one.body)],
    body_bytes: ['int4', (one) => one.body_bytes],
  })
  await sql`
    INSERT INTO stranger_callbacks (id, received_at, is_refused, source_address, headers, body, body_bytes)
    SELECT id, received_at, is_refused, source_address, headers::json, body, body_bytes FROM ${given}
    ON CONFLICT (id) DO NOTHING
  `.execute(database)
  crashPoint('strangers.after_commit', strangers.length)
}
