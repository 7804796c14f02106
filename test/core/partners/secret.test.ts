import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { hashSecret, isWellFormedSecret, makeSecret, recordOf } from '../../../src/core/partners/secret.ts'

describe('a secret', () => {
  it('has its prefix, 43 digits of 256 random bits and six of a checksum', () => {
    expect(makeSecret('mpg_', randomBytes)).toMatch(/^mpg_[0-9A-Za-z]{49}$/)
    expect(makeSecret('mpg_', () => Buffer.alloc(32, 255))).toMatch(/^mpg_[0-9A-Za-z]{49}$/)
    expect(makeSecret('mpg_', () => Buffer.alloc(32))).toMatch(/^mpg_0{43}[0-9A-Za-z]{6}$/)
  })

  it('is known from a mistyped one without the database', () => {
    const secret = makeSecret('mpg_', randomBytes)
    const mistyped = secret.slice(0, 10) + (secret[10] === 'a' ? 'b' : 'a') + secret.slice(11)
    expect(isWellFormedSecret('mpg_', secret)).toBe(true)
    expect(isWellFormedSecret('mps_', secret)).toBe(false)
    for (const wrong of ['', 'mpg_', mistyped, `${secret}0`, secret.slice(1)]) {
      expect(isWellFormedSecret('mpg_', wrong)).toBe(false)
    }
  })

  it('is kept as its hash and its first twelve characters', () => {
    const secret = makeSecret('mpg_', randomBytes)
    expect(recordOf(secret)).toEqual({ hash: hashSecret(secret), displayPrefix: secret.slice(0, 12) })
  })
})
