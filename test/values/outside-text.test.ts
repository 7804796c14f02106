import { describe, expect, it } from 'vitest'
import { cleanText, truncateText } from '../../src/values/outside-text.ts'

describe('text from outside', () => {
  it.each([
    ['', ''],
    ['Ada ya shule · Wanjikũ 💡', 'Ada ya shule · Wanjikũ 💡'],
    ['x\ud83d', 'x\ufffd'],
    ['\udca1x', '\ufffdx'],
    ['\udca1\ud83d', '\ufffd\ufffd'],
    ['a\u0000b', 'ab'],
    // A half that only removing NUL brings together with its other half is a character.
    ['\ud83d\u0000\udca1', '💡'],
  ])('%j is carried as %j', (text, clean) => expect(cleanText(text)).toBe(clean))

  it.each([
    ['abc', 3, 'abc'],
    ['abcd', 3, 'abc'],
    ['ab💡', 4, 'ab💡'],
    ['ab💡', 3, 'ab'],
    ['ab💡c', 4, 'ab💡'],
    ['ab\ud83d', 3, 'ab\ufffd'],
    ['ab\ud83dc', 3, 'ab\ufffd'],
    ['💡', 1, ''],
    ['💡', 0, ''],
  ])('%j is cut at %d to %j', (text, length, cut) => expect(truncateText(text, length)).toBe(cut))

  it('is well formed wherever it is cut, and as long as it may be but for one half', () => {
    const text = 'a💡\ud83db\udca1💡💡\ud83d\ud83d💡c'
    for (let length = 0; length <= text.length; length += 1) {
      const cut = truncateText(text, length)
      expect(cut.isWellFormed()).toBe(true)
      expect(cut.length).toBeLessThanOrEqual(length)
      expect(cut.length).toBeGreaterThanOrEqual(length - 1)
    }
  })
})
