import { describe, expect, it } from 'vitest'
import { KEPT_BYTES, renderAnswer } from '../../src/dispatcher/deliver/read-answer.ts'

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
