import { type Timestamp, timestampFromDate } from '@bufbuild/protobuf/wkt'
import { wrongField } from './refused.ts'

// Fields that several messages have.

/** An instant as a message has it; unset for null. */
export const toTimestamp = (instant: Date | null): Timestamp | undefined =>
  instant === null ? undefined : timestampFromDate(instant)

const MAX_PAGE = 1000

/** Reads how many a page holds, 1 to 1000; 0 stands for `usual`. */
export const readPageSize = (pageSize: number, usual: number): number => {
  const limit = pageSize === 0 ? usual : pageSize
  if (limit < 1 || limit > MAX_PAGE) {
    throw wrongField('page_size', `must be a whole number from 1 to ${MAX_PAGE}`)
  }
  return limit
}
