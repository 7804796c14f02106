import { crc32 } from 'node:zlib'
import { z } from 'zod'
import { type ReceivedCallback, toStorable, toStorableHeader, UNREAD_NONCE } from './callback.ts'

// A record is a header of 16 bytes (four letters, the length of what follows, its checksum, the checksum of these
// twelve bytes) and what follows: the length of a JSON object, the object, and the callback's bytes as they came. The
// header's own checksum makes its length worth believing, so that one damaged record does not take those behind it
// along.

const MAGIC = 'MGC1'
const HEADER_BYTES = 16

/** What a file of the spool holds: whole records, and the stretches that are not. */
export type SpoolContent = {
  callbacks: ReceivedCallback[]
  damaged: { offset: number; bytes: Buffer }[]
}

/** A callback as one record, in the words that the releases before have for it: they read ours, and we theirs. */
export const encodeRecord = (callback: ReceivedCallback): Buffer => {
  const fields: z.input<typeof recordedFields> = {
    id: callback.id,
    receivedAt: callback.received_at.getTime(),
    paymentId: callback.payment_id === null ? null : callback.payment_id.toString(),
    nonce: callback.nonce,
    isRefused: callback.is_refused,
    strangerBodyBytes: callback.body_bytes,
    headers: callback.headers.map(([name, value]) => ({ name, value })),
    sourceAddress: callback.source_address,
  }
  const json = Buffer.from(JSON.stringify(fields))
  const content = Buffer.concat([uint32(json.length), json, callback.body])
  const start = Buffer.concat([Buffer.from(MAGIC), uint32(content.length), uint32(crc32(content))])
  return Buffer.concat([start, uint32(crc32(start)), content])
}

/**
 * Reads the records of a file. One that was torn by a crash or damaged by a disk is recognised by length and checksums,
 * and never taken for whole; behind a header that cannot be believed nothing is.
 */
export const decodeRecords = (file: Buffer): SpoolContent => {
  const found: SpoolContent = { callbacks: [], damaged: [] }
  for (let offset = 0; offset < file.length; ) {
    const length = lengthOfRecord(file, offset)
    if (length === null) {
      found.damaged.push({ offset, bytes: file.subarray(offset) })
      break
    }
    const record = file.subarray(offset, offset + length)
    const callback = decodeRecord(record)
    if (callback === null) found.damaged.push({ offset, bytes: record })
    else found.callbacks.push(callback)
    offset += length
  }
  return found
}

const uint32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}

/** Null when there is no whole header, or the file ends before the record does. */
const lengthOfRecord = (file: Buffer, offset: number): number | null => {
  const header = file.subarray(offset, offset + HEADER_BYTES)
  if (header.length < HEADER_BYTES || header.toString('latin1', 0, 4) !== MAGIC) return null
  if (crc32(header.subarray(0, 12)) !== header.readUInt32LE(12)) return null
  const length = HEADER_BYTES + header.readUInt32LE(4)
  return offset + length <= file.length ? length : null
}

const decodeRecord = (record: Buffer): ReceivedCallback | null => {
  const content = record.subarray(HEADER_BYTES)
  if (crc32(content) !== record.readUInt32LE(8)) return null
  const jsonEnd = 4 + content.readUInt32LE(0)
  const about = recordedFields.safeParse(parseJson(content.toString('utf8', 4, jsonEnd)))
  if (!about.success) return null
  return {
    id: about.data.id,
    received_at: about.data.receivedAt,
    payment_id: about.data.paymentId,
    nonce: about.data.nonce,
    is_refused: about.data.isRefused,
    body_bytes: about.data.strangerBodyBytes,
    headers: about.data.headers.map(toStorableHeader),
    source_address: toStorable(about.data.sourceAddress),
    body: content.subarray(jsonEnd),
  }
}

const recordedFields = z.object({
  id: z.uuid(),
  receivedAt: z.number().transform((ms) => new Date(ms)),
  paymentId: z.string().transform(BigInt).nullable(),
  // Records of the release before do not say, and its processes leave it out when they read ours.
  nonce: z.string().nullable().default(UNREAD_NONCE),
  isRefused: z.boolean(),
  // Records of the release before have none.
  strangerBodyBytes: z.number().int().nullable().default(null),
  headers: z.array(z.object({ name: z.string(), value: z.string() })),
  sourceAddress: z.string(),
})

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
