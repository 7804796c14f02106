import { assert, bigInt, property } from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createCallbackTokens, parseNonce, renderCallbackUrl } from '../../../src/core/callback/token.ts'

const KEY = Buffer.alloc(32, 1)
const OTHER_KEY = Buffer.alloc(32, 2)

describe('a callback token', () => {
  const tokens = createCallbackTokens({ secretKey: KEY, previousSecretKey: null })

  it('names its payment', () => {
    assert(
      property(bigInt({ min: 1n, max: 2n ** 63n - 1n }), (id) => {
        expect(tokens.read(tokens.issue(id))).toBe(id)
      }),
    )
  })

  it('holds only lower-case hexadecimal digits, so that Daraja finds no forbidden word', () => {
    expect(tokens.issue(102n)).toMatch(/^[0-9a-f]{48}$/)
  })

  it('cannot be invented or changed', () => {
    const token = tokens.issue(102n)
    const changed = token.startsWith('0') ? `1${token.slice(1)}` : `0${token.slice(1)}`
    for (const wrong of ['', 'x', changed, token.toUpperCase(), `${token}0`, tokens.issue(1n).slice(1)]) {
      expect(tokens.read(wrong)).toBeNull()
    }
    expect(createCallbackTokens({ secretKey: OTHER_KEY, previousSecretKey: null }).read(token)).toBeNull()
  })

  it('is still read after the key was rotated', () => {
    const rotated = createCallbackTokens({ secretKey: OTHER_KEY, previousSecretKey: KEY })
    expect(rotated.read(tokens.issue(102n))).toBe(102n)
    expect(rotated.read(rotated.issue(103n))).toBe(103n)
  })
})

describe('a callback URL', () => {
  const token = createCallbackTokens({ secretKey: KEY, previousSecretKey: null }).issue(102n)
  const parts = { publicUrl: 'https://pay.example.com', token }

  it('carries the nonce of its payment where processes of the release before do not look', () => {
    const url = renderCallbackUrl({ ...parts, nonce: '00c0ffee00c0ffee' })
    expect(url).toBe(`https://pay.example.com/callbacks/stk/${token}?nonce=00c0ffee00c0ffee`)
    expect(new URL(url).pathname).toBe(`/callbacks/stk/${token}`)
  })

  it('is what it always was for a payment without one', () => {
    expect(renderCallbackUrl({ ...parts, nonce: null })).toBe(
      `https://pay.example.com/callbacks/stk/${token}`,
    )
  })

  it('has no nonce that is anything but 16 hexadecimal digits', () => {
    expect(parseNonce('00c0ffee00c0ffee')).toBe('00c0ffee00c0ffee')
    for (const text of [
      '',
      '0',
      '00C0FFEE00C0FFEE',
      '00c0ffee00c0ffee0',
      '00c0ffee00c0ffe ',
      'g0c0ffee00c0ffee',
    ]) {
      expect(parseNonce(text)).toBeNull()
    }
  })
})
