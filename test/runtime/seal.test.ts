import { randomBytes } from 'node:crypto'
import { assert, property, string } from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CannotOpen, createVault } from '../../src/runtime/seal.ts'

const OLD = randomBytes(32)
const NEW = randomBytes(32)
const vaultOf = (secretKey: Buffer, previousSecretKey: Buffer | null = null) =>
  createVault({ secretKey, previousSecretKey, randomBytes })

describe('a sealed secret', () => {
  const vault = vaultOf(OLD)

  it('opens as it was, whatever it is, for the place it was sealed for', () => {
    assert(
      property(string({ unit: 'binary' }), string({ unit: 'binary' }), (secret, identity) => {
        expect(vault.open(vault.seal(secret, identity), identity)).toBe(secret)
      }),
    )
  })

  it('is never twice the same, and shows nothing of the secret', () => {
    const [one, other] = [vault.seal('passkey', 'row 1'), vault.seal('passkey', 'row 1')]
    expect(one).not.toBe(other)
    expect(Buffer.from(one.split('.')[2] ?? '', 'base64url').toString('latin1')).not.toContain('passkey')
  })

  it('does not open for another row or column', () => {
    const sealed = vault.seal('passkey', 'account 1 passkey')
    expect(() => vault.open(sealed, 'account 2 passkey')).toThrow(CannotOpen)
    expect(() => vault.open(sealed, 'account 1 consumer_secret')).toThrow(CannotOpen)
  })

  it('does not open when any bit of it was changed', () => {
    const sealed = vault.seal('passkey', 'row 1')
    const [version = '', keyId = '', text = ''] = sealed.split('.')
    const bytes = Buffer.from(text, 'base64url')
    for (let bit = 0; bit < bytes.length * 8; bit += 1) {
      const changed = Buffer.from(bytes)
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      const forged = `${version}.${keyId}.${changed.toString('base64url')}`
      expect(() => vault.open(forged, 'row 1')).toThrow(CannotOpen)
    }
  })

  it('does not open when it was cut short, or was never sealed', () => {
    const sealed = vault.seal('passkey', 'row 1')
    for (const text of [
      sealed.slice(0, -4),
      sealed.slice(0, 20),
      'passkey',
      '',
      `${sealed}=`,
      ` ${sealed}`,
    ]) {
      expect(() => vault.open(text, 'row 1')).toThrow(CannotOpen)
    }
  })

  it('opens under the key before too, which seals no more', () => {
    const sealed = vaultOf(OLD).seal('passkey', 'row 1')
    const both = vaultOf(NEW, OLD)
    expect(both.open(sealed, 'row 1')).toBe('passkey')
    expect(both.isCurrent(sealed)).toBe(false)
    const again = both.seal('passkey', 'row 1')
    expect(both.isCurrent(again)).toBe(true)
    expect(vaultOf(NEW).open(again, 'row 1')).toBe('passkey')
  })

  it('does not open without its key, and the refusal names the row and no secret', () => {
    const sealed = vaultOf(OLD).seal('passkey', 'row 1')
    const refusal = (() => {
      try {
        return vaultOf(NEW).open(sealed, 'row 1')
      } catch (error) {
        return String(error)
      }
    })()
    expect(refusal).toMatch(/^CannotOpen: row 1 was sealed under a key that is not at hand: [0-9a-f]{8}$/)
  })

  it('reveals by its key id alone nothing of the key: ids differ, and are no part of either key', () => {
    const keyId = vault.seal('', 'row 1').split('.')[1] ?? ''
    expect(vaultOf(NEW).seal('', 'row 1').split('.')[1]).not.toBe(keyId)
    expect(OLD.toString('hex')).not.toContain(keyId)
  })
})
