import { describe, expect, it } from 'vitest'
import { parseRetryAfter } from '../../src/dispatcher/deliver/read-answer.ts'

const NOW = new Date('2026-11-06T08:49:30Z')

describe('Retry-After', () => {
  it.each([
    ['120', 120_000],
    ['0', 0],
    [' 5 ', 5_000],
    ['999999999999', 999_999_999_999_000],
    ['Fri, 06 Nov 2026 08:49:37 GMT', 7_000],
    ['Friday, 06-Nov-26 08:49:37 GMT', 7_000],
    ['Fri Nov  6 08:49:37 2026', 7_000],
    ['Fri, 06 Nov 2026 08:00:00 GMT', 0],
  ])('%j is read as ms from now', (header, expected) => expect(parseRetryAfter(header, NOW)).toBe(expected))

  it.each([undefined, '', '-1', '1.5', 'soon', '2026-11-06', '1e3', 'Fri, 99 Nov 2026 08:49:37 GMT'])(
    '%j asks for nothing',
    (header) => expect(parseRetryAfter(header, NOW)).toBeNull(),
  )
})
