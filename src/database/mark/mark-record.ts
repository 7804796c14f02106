import { crc32 } from 'node:zlib'
import { z } from 'zod'
import type { Mark } from './mark.ts'

/** A mark as a file: JSON on one line, and its checksum on the next. */
export const encodeMark = (mark: Mark): string => {
  const json = toJson({ version: 1, ...mark })
  return `${json}\n${checksumOf(json)}\n`
}

/** True when both say the same, whenever they were written. */
export const isSameMark = (one: Mark, other: Mark): boolean =>
  toJson({ ...one, writtenAtMs: 0 }) === toJson({ ...other, writtenAtMs: 0 })

const toJson = (value: unknown): string =>
  JSON.stringify(value, (_key, one: unknown) => (typeof one === 'bigint' ? one.toString() : one))

/** Reads a mark; null when it is torn, damaged, or not one that this release understands. */
export const decodeMark = (text: string): Mark | null => {
  const [json = '', checksum, end] = text.split('\n')
  if (end !== '' || checksum !== checksumOf(json)) return null
  const parsed = recordedMark.safeParse(parseJson(json))
  return parsed.success ? parsed.data : null
}

const checksumOf = (text: string): string => crc32(text).toString(16).padStart(8, '0')

const number = z.string().regex(/^\d+$/).transform(BigInt)
const numbers = z.record(z.string(), number)

const recordedMark = z.object({
  version: z.literal(1),
  writtenAtMs: z.number(),
  identity: z.object({ system: z.string(), timeline: z.string(), database: z.string(), epoch: z.string() }),
  lineage: z.string(),
  seen: numbers,
  ceilings: numbers,
  newestPayment: number.nullable(),
  alarm: z
    .object({
      kind: z.enum(['older', 'another']),
      at: z.string(),
      epoch: z.string(),
      fell: z.array(z.object({ sequence: z.string(), found: number, seen: number })),
      missing: z.object({ above: number, upTo: number }),
    })
    .nullable(),
})

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
