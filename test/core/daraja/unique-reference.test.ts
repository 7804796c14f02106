import { assert, bigInt, property } from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createUniqueReferences } from '../../../src/core/daraja/unique-reference.ts'

const keyOf = (byte: number): Uint8Array => new Uint8Array(32).fill(byte)
const references = createUniqueReferences({ secretKey: keyOf(1), previousSecretKey: null })

describe('a unique reference', () => {
  it('is at most twelve letters and digits, and names its payment', () => {
    assert(
      property(bigInt({ min: 1n, max: 32n ** 8n - 1n }), (paymentId) => {
        const reference = references.issue(paymentId)
        expect(reference).toMatch(/^[0-9A-Z]{5,12}$/)
        expect(references.read(reference)).toBe(paymentId)
        expect(references.read(` ${reference.toLowerCase()} `)).toBe(paymentId)
      }),
    )
  })

  it('is nothing that somebody types by hand', () => {
    const typed = Array.from({ length: 10_000 }, (_one, index) => references.read(String(100_000 + index)))
    expect(typed.filter((paymentId) => paymentId !== null).length).toBeLessThan(3)
    for (const text of ['', 'A', 'INV2025001', '0000', '----', 'OOOO1111', 'é'.repeat(6), '0'.repeat(40)]) {
      expect(references.read(text)).toBeNull()
    }
  })

  it('outlives the replacement of the secret key', () => {
    const replaced = createUniqueReferences({ secretKey: keyOf(2), previousSecretKey: keyOf(1) })
    expect(replaced.read(references.issue(77n))).toBe(77n)
    expect(
      createUniqueReferences({ secretKey: keyOf(2), previousSecretKey: null }).read(references.issue(77n)),
    ).toBeNull()
  })

  it('is refused for ids that leave no room for the check', () => {
    expect(() => references.issue(32n ** 8n)).toThrow(RangeError)
  })
})
