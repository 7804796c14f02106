import { invalid, type Parsed, valid } from './parsed.ts'

/** How many rows a page of some list has when nothing is asked for, and at most. */
export type PageBounds = { usual: number; max: number }

/** A page of payments. */
export const PAYMENTS_PAGE: PageBounds = { usual: 20, max: 100 }

/** A page of events. */
export const EVENTS_PAGE: PageBounds = { usual: 100, max: 500 }

/** Parses how many rows a page is to have; 0 stands for the usual number, null for what was given and is no number. */
export const parsePageSize = (pageSize: number | null, { usual, max }: PageBounds): Parsed<number> => {
  const size = pageSize === 0 ? usual : pageSize
  return size !== null && size >= 1 && size <= max
    ? valid(size)
    : invalid(`must be a whole number from 1 to ${max}`)
}
