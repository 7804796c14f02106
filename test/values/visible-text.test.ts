import { describe, expect, it } from 'vitest'
import { toVisibleLine, toVisibleLines } from '../../src/values/visible-text.ts'

describe('what a terminal would obey', () => {
  it.each([
    ['\u001b[2J\u001b]0;title\u0007', String.raw`\u001b[2J\u001b]0;title\u0007`],
    ['a\nb\tc\rd\u0000', String.raw`a\nb\tc\rd\u0000`],
    ['\u009b31m\u007f\u0085', String.raw`\u009b31m\u007f\u0085`],
    ['\u202egnp.exe\u2066\u200f', String.raw`\u202egnp.exe\u2066\u200f`],
    ['\u2028\u2029\ufeff\u200b\u00ad', String.raw`\u2028\u2029\ufeff\u200b\u00ad`],
    ['\u{e0041}\u{f0000}\ud83d', String.raw`\udb40\udc41\udb80\udc00\ud83d`],
  ])('%j is shown as %s', (text, shown) => expect(toVisibleLine(text)).toBe(shown))

  it.each(['', 'Wanjikũ, 150 KES · 💡 👩‍👧', String.raw`C:\new\u001b`, 'مرحبا'])('is none of %s', (text) => {
    expect(toVisibleLine(text)).toBe(text)
    expect(toVisibleLine(toVisibleLine(text))).toBe(text)
  })

  it('is none of the ends of lines where there may be several', () => {
    expect(toVisibleLines('a\n\u001bb\r\n')).toBe('a\n\\u001bb\\r\n')
  })

  it('can be any character of JSON, which stays the same', () => {
    const value = {
      a: Array.from({ length: 0x2100 }, (_one, code) => String.fromCharCode(code)).join(''),
      '\u009b': '\u{e0041}',
    }
    const shown = toVisibleLines(JSON.stringify(value))
    expect(JSON.parse(shown)).toEqual(value)
    expect(shown).not.toMatch(/[\p{Cc}\u202e\u200b]/u)
  })
})
