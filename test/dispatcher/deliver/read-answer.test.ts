import { describe, expect, it } from 'vitest'
import { KEPT_BYTES, parseRetryAfter, renderAnswer } from '../../../src/dispatcher/deliver/read-answer.ts'

const render = (text: string): string | null => renderAnswer(Buffer.from(text))

describe('what is kept of an answer', () => {
  it('is its text', () => expect(render('{"ok":true}')).toBe('{"ok":true}'))
  it('is null when it is empty', () => expect(render('')).toBeNull())

  it('has runs of seven digits and more masked, and shorter ones not', () => {
    expect(render('paid by 254712345678, order 123456, ref 1234567.')).toBe(
      'paid by ************, order 123456, ref *******.',
    )
  })

  it('has no NUL, and takes bytes that are no text', () => {
    expect(render('a\u0000b')).toBe('ab')
    expect(renderAnswer(Buffer.from([0xff, 0x41]))).toBe('\ufffdA')
  })

  it('ends before a character that the cut would halve', () => {
    expect(render(`${'x'.repeat(KEPT_BYTES - 2)}💡 and more`)).toBe('x'.repeat(KEPT_BYTES - 2))
    expect(render(`${'x'.repeat(KEPT_BYTES - 4)}💡 and more`)).toBe(`${'x'.repeat(KEPT_BYTES - 4)}💡`)
    expect(renderAnswer(Buffer.from([0x41, 0xf0, 0x9f]))).toBe('A\ufffd')
  })

  it('ends after 4 kB, and does not show a number that the cut has shortened', () => {
    const text = render(`${'x'.repeat(KEPT_BYTES - 5)}254712345678`)
    expect(text).toBe(`${'x'.repeat(KEPT_BYTES - 5)}*****`)
    expect(render('y'.repeat(10_000))).toHaveLength(KEPT_BYTES)
  })

  it('may end with a short number when nothing was cut', () => expect(render('code 42')).toBe('code 42'))
})

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
