import { type Timestamp, timestampFromDate } from '@bufbuild/protobuf/wkt'
import { wrongField } from './refused.ts'

// Fields that several messages have.

/** An instant as a message has it; unset for null. */
export const toTimestamp = (instant: Date | null): Timestamp | undefined =>
  instant === null ? undefined : timestampFromDate(instant)

/** Reads how many a page holds, 1 to `max`; 0 stands for `usual`, null for what was given and is no number. */
export const readPageSize = (pageSize: number | null, usual: number, max = 1000): number => {
  const limit = pageSize === 0 ? usual : pageSize
  if (limit === null || limit < 1 || limit > max) {
    throw wrongField('page_size', `must be a whole number from 1 to ${max}`)
  }
  return limit
}
