import { type Timestamp, timestampFromDate } from '@bufbuild/protobuf/wkt'
import { type PageBounds, parsePageSize } from '../../values/page-size.ts'
import { wrongField } from './refused.ts'

// Fields that several messages have.

/** An instant as a message has it; unset for null. */
export const toTimestamp = (instant: Date | null): Timestamp | undefined =>
  instant === null ? undefined : timestampFromDate(instant)

/** Reads how many rows a page is to have (`parsePageSize`). Throws `Refused` for the field `page_size`. */
export const readPageSize = (pageSize: number | null, bounds: PageBounds): number => {
  const parsed = parsePageSize(pageSize, bounds)
  if (!parsed.ok) throw wrongField('page_size', parsed.problem)
  return parsed.value
}
