import { type AddressList, includesAddress } from '../../values/address-list.ts'
import type { ReceivedCallback } from './callback.ts'

// A stranger's callback names no payment of ours and comes from no address of Daraja's: anybody can send one, as large and as
// often as it likes. A few of them, cut, tell the operator what comes; all of them would fill the disk.

/** What a process keeps of strangers' callbacks. */
export type StrangerLimits = {
  /** How many in a minute. */
  perMinute: number
  /** How many bytes in a minute, all that is kept of them counted. */
  bytesPerMinute: number
  /** How many bytes of one body, and as many of its headers. */
  maxBytes: number
}

/** What became of a stranger's callback: what is kept of it, or which budget is spent. */
export type StrangerVerdict =
  | { kind: 'kept'; callback: ReceivedCallback }
  | { kind: 'turned_away'; spent: 'number' | 'bytes'; isFirst: boolean }

/** What a row, its index entries and its record cost beside what they hold, bytes. */
const ROW_BYTES = 256

const WINDOW_MS = 60_000

/**
 * Says whether a callback is a stranger's. Those from Daraja's addresses are not: they would be Daraja's, and we would be
 * wrong about our own tokens.
 */
export const isStranger = (list: AddressList, callback: ReceivedCallback): boolean =>
  callback.paymentId === null && !includesAddress(list, callback.sourceAddress)

/**
 * The budget of this process for strangers' callbacks, number and bytes, by the minute. What is let in comes back cut; the
 * first that is turned away for a reason in its minute is marked, so that the log tells of it once. `nowMs` is a monotonic
 * time in ms.
 */
export const createStrangersBudget = (
  limits: StrangerLimits,
  nowMs: () => number,
): ((callback: ReceivedCallback) => StrangerVerdict) => {
  const fresh = () => ({ beganMs: nowMs(), kept: 0, bytes: 0, told: new Set<string>() })
  let minute = fresh()

  const turnAway = (spent: 'number' | 'bytes'): StrangerVerdict => {
    const isFirst = !minute.told.has(spent)
    minute.told.add(spent)
    return { kind: 'turned_away', spent, isFirst }
  }

  return (whole) => {
    if (nowMs() - minute.beganMs >= WINDOW_MS) minute = fresh()
    const callback = cutStranger(whole, limits.maxBytes)
    const bytes = bytesOf(callback)
    if (minute.kept >= limits.perMinute) return turnAway('number')
    if (minute.bytes + bytes > limits.bytesPerMinute) return turnAway('bytes')
    minute.kept += 1
    minute.bytes += bytes
    return { kind: 'kept', callback }
  }
}

/** What is kept of a stranger's callback: the beginning of its body, and those of its headers that fit, from the first on. */
export const cutStranger = (callback: ReceivedCallback, maxBytes: number): ReceivedCallback => {
  let left = maxBytes
  const fit = callback.headers.findIndex((header) => {
    left -= headerBytes(header)
    return left < 0
  })
  return {
    ...callback,
    strangerBodyBytes: callback.body.length,
    // A copy: a view would keep the whole of what came in memory.
    body: Uint8Array.from(callback.body.subarray(0, maxBytes)),
    headers: fit === -1 ? callback.headers : callback.headers.slice(0, fit),
  }
}

const headerBytes = ({ name, value }: { name: string; value: string }): number =>
  Buffer.byteLength(name) + Buffer.byteLength(value)

const bytesOf = ({ body, headers, sourceAddress }: ReceivedCallback): number =>
  headers.reduce((sum, header) => sum + headerBytes(header), ROW_BYTES + body.length + sourceAddress.length)
