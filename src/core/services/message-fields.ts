import { type DescMessage, type MessageShape, ScalarType } from '@bufbuild/protobuf'
import { reflect } from '@bufbuild/protobuf/reflect'
import { type Timestamp, timestampDate, timestampFromDate } from '@bufbuild/protobuf/wkt'
import { type PageBounds, parsePageSize } from '../../values/page-size.ts'
import { wrongField } from './refused.ts'

// Fields that several messages have.

/** An instant as a message has it; unset for null. */
export const toTimestamp = (instant: Date | null): Timestamp | undefined =>
  instant === null ? undefined : timestampFromDate(instant)

/** The years 1 to 9999 in seconds of Unix. */
const FIRST_SECOND = -62_135_596_800n
const LAST_SECOND = 253_402_300_799n

/** Reads an instant that need not be there; null: it is not. Throws `Refused` for the field. */
export const readInstant = (field: string, timestamp: Timestamp | undefined): Date | null => {
  if (timestamp === undefined) return null
  if (timestamp.seconds < FIRST_SECOND || timestamp.seconds > LAST_SECOND)
    throw wrongField(field, 'must be an instant of the years 1 to 9999')
  return timestampDate(timestamp)
}

/** Reads how many rows a page is to have (`parsePageSize`). Throws `Refused` for the field `page_size`. */
export const readPageSize = (pageSize: number | null, bounds: PageBounds): number => {
  const parsed = parsePageSize(pageSize, bounds)
  if (!parsed.ok) throw wrongField('page_size', parsed.problem)
  return parsed.value
}

/**
 * Refuses a request in which an id is missing or no id: each field `…_id` that must be there, and each of those that need
 * not be there but is. Throws `Refused` that names the field.
 */
export const requireIds = <Desc extends DescMessage>(desc: Desc, message: MessageShape<Desc>): void => {
  const fields = reflect(desc, message)
  for (const field of desc.fields) {
    if (field.fieldKind !== 'scalar' || field.scalar !== ScalarType.INT64 || !field.name.endsWith('_id'))
      continue
    const isOptional = field.proto.proto3Optional
    if (isOptional && !fields.isSet(field)) continue
    const id = fields.get(field)
    if (typeof id !== 'bigint' || id < 1n) throw wrongField(field.name, 'must be a positive whole number')
  }
}

/** Reads the id that a page begins after, or before; null: with the first. Throws `Refused` for the field. */
export const readAfterOrBefore = (field: 'after' | 'before', id: bigint | undefined): bigint | null => {
  if (id !== undefined && id < 1n) throw wrongField(field, 'must be a positive id')
  return id ?? null
}
