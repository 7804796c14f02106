import { createHash } from 'node:crypto'
import { invalid, type Parsed, valid } from '../../values/parsed.ts'

/** Where an event stands among all events. */
export type EventKey = {
  /** Of the transaction that made it, or further on: `NEXT_POSITION`. */
  position: bigint
  paymentId: bigint
  /** Counts the events of the payment, from 1. */
  number: number
}

/** Before every event. */
export const BEGINNING: EventKey = { position: 0n, paymentId: 0n, number: 0 }

/** Below 0: the first stands before the second. The order of the statements that read events. */
export const compareKeys = (one: EventKey, other: EventKey): number =>
  sign(one.position - other.position) || sign(one.paymentId - other.paymentId) || one.number - other.number

const sign = (difference: bigint): number => (difference === 0n ? 0 : difference < 0n ? -1 : 1)

export const isBeginning = (key: EventKey): boolean => key.position === 0n

/** What cursors of this kind begin with; another kind would begin otherwise. */
const PREFIX = 'ev1_'

const LINEAGE_BYTES = 4
const KEY_BYTES = 8 + 8 + 4
const CHECK_BYTES = 4

/** Whose cursors they are: derived from the first of the `epochs`, which all copies of a gateway's database have. */
export type Lineage = Uint8Array

export const lineageOf = (firstEpoch: string): Lineage => digest(firstEpoch).subarray(0, LINEAGE_BYTES)

/** Renders a cursor that stands behind the event. */
export const renderCursor = (key: EventKey, lineage: Lineage): string => {
  const bytes = Buffer.alloc(LINEAGE_BYTES + KEY_BYTES)
  bytes.set(lineage)
  bytes.writeBigInt64BE(key.position, LINEAGE_BYTES)
  bytes.writeBigInt64BE(key.paymentId, LINEAGE_BYTES + 8)
  bytes.writeInt32BE(key.number, LINEAGE_BYTES + 16)
  return PREFIX + Buffer.concat([bytes, checkOf(bytes)]).toString('base64url')
}

/** Reads a cursor; the problem ends a sentence that begins with the field. */
export const parseCursor = (text: string, lineage: Lineage): Parsed<EventKey> => {
  const bytes = Buffer.from(text.slice(PREFIX.length), 'base64url')
  const content = bytes.subarray(0, -CHECK_BYTES)
  const isWhole =
    text === PREFIX + bytes.toString('base64url') &&
    content.length === LINEAGE_BYTES + KEY_BYTES &&
    checkOf(content).equals(bytes.subarray(-CHECK_BYTES))
  if (!isWhole) return invalid('must be a cursor exactly as it was given: this is none')
  if (!content.subarray(0, LINEAGE_BYTES).equals(lineage)) {
    return invalid('must be a cursor of this gateway: this one was given by another')
  }
  return valid({
    position: content.readBigInt64BE(LINEAGE_BYTES),
    paymentId: content.readBigInt64BE(LINEAGE_BYTES + 8),
    number: content.readInt32BE(LINEAGE_BYTES + 16),
  })
}

/** Shows that a cursor was cut or mistyped; protects from nobody, and nothing needs it to. */
const checkOf = (bytes: Uint8Array): Buffer => digest(bytes).subarray(0, CHECK_BYTES)

const digest = (bytes: Uint8Array | string): Buffer => createHash('sha256').update(bytes).digest()
