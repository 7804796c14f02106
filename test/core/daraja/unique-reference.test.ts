import { assert, bigInt, property } from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createUniqueReferences } from '../../../src/core/daraja/unique-reference.ts'

const keyOf = (byte: number): Uint8Array => new Uint8Array(32).fill(byte)
const references = createUniqueReferences({ secretKey: keyOf(1), previousSecretKey: null })
const NONCE = '00c0ffee00c0ffee'

/** Whatever is typed, a payment with that id is looked for. */
const EVERY = new (class extends Map<bigint, string | null> {
  override get(): string {
    return NONCE
  }
})()

describe('a unique reference', () => {
  it('is at most twelve letters and digits, and names its payment', () => {
    assert(
      property(bigInt({ min: 1n, max: 32n ** 8n - 1n }), (paymentId) => {
        for (const nonce of [NONCE, null]) {
          const reference = references.issue(paymentId, nonce)
          const nonces = new Map([[paymentId, nonce]])
          expect(reference).toMatch(/^[0-9A-Z]{5,12}$/)
          expect(references.read(reference, nonces)).toEqual({ paymentId, isProven: true })
          expect(references.read(` ${reference.toLowerCase()} `, nonces)).toEqual({
            paymentId,
            isProven: true,
          })
        }
      }),
    )
  })

  it('is nothing that somebody types by hand', () => {
    const typed = Array.from({ length: 10_000 }, (_one, index) =>
      references.read(String(100_000 + index), EVERY),
    )
    expect(typed.filter((paymentId) => paymentId !== null).length).toBeLessThan(3)
    for (const text of ['', 'A', 'INV2025001', '0000', '----', 'OOOO1111', 'é'.repeat(6), '0'.repeat(40)]) {
      expect(references.read(text, EVERY)).toBeNull()
    }
  })

  it('outlives the replacement of the secret key', () => {
    const replaced = createUniqueReferences({ secretKey: keyOf(2), previousSecretKey: keyOf(1) })
    const nonces = new Map([[77n, NONCE]])
    const reference = references.issue(77n, NONCE)
    expect(replaced.read(reference, nonces)).toEqual({ paymentId: 77n, isProven: true })
    const another = createUniqueReferences({ secretKey: keyOf(2), previousSecretKey: null })
    expect(another.read(reference, nonces)).toBeNull()
  })

  it('is refused for ids that leave no room for the check', () => {
    expect(() => references.issue(32n ** 8n, null)).toThrow(RangeError)
  })
})
