import { describe, expect, it } from 'vitest'
import { parseKes } from '../../src/values/amount.ts'
import { parseIdempotencyKey } from '../../src/values/idempotency-key.ts'
import { parseId } from '../../src/values/ids.ts'
import { fromDarajaTimestamp, toDarajaTimestamp, toGuideInstant } from '../../src/values/instant.ts'
import { maskMsisdn, parseMsisdn } from '../../src/values/msisdn.ts'
import { parseReference } from '../../src/values/reference.ts'

describe('msisdn', () => {
  it.each(['254712345678', '254112345678'])('takes %s', (text) => expect(parseMsisdn(text).ok).toBe(true))
  it.each([
    '',
    '0712345678',
    '+254712345678',
    '254812345678',
    '25471234567',
    '2547123456789',
    '254712345678\n',
  ])('refuses %j', (text) => expect(parseMsisdn(text).ok).toBe(false))
  it('is masked for logs', () => expect(maskMsisdn('254712345678')).toBe('2547*****678'))
})

describe('amount', () => {
  it.each([1, 150, 250_000])('takes %d', (amount) => expect(parseKes(amount).ok).toBe(true))
  it.each([0, -1, 1.5, 250_001, Number.NaN, Number.POSITIVE_INFINITY])('refuses %d', (amount) =>
    expect(parseKes(amount).ok).toBe(false),
  )
})

describe('reference', () => {
  it.each(['INV-2025-001', 'Ada ya shule 2026 · Wanjikũ', '💡'.repeat(64)])('takes %s', (text) =>
    expect(parseReference(text).ok).toBe(true),
  )
  it.each(['', 'a\nb', 'a\u0000', '\u200e', '\ud800', 'x'.repeat(65)])('refuses %j', (text) =>
    expect(parseReference(text).ok).toBe(false),
  )
})

describe('idempotency key', () => {
  it.each(['1', 'a key with blanks', 'x'.repeat(255)])('takes %s', (text) =>
    expect(parseIdempotencyKey(text).ok).toBe(true),
  )
  it.each(['', 'x'.repeat(256), 'é', 'a\tb'])('refuses %j', (text) =>
    expect(parseIdempotencyKey(text).ok).toBe(false),
  )
})

describe('id', () => {
  it('is a positive bigint', () => {
    expect(parseId('102')).toBe(102n)
    expect(parseId('9223372036854775807')).toBe(9223372036854775807n)
  })
  it.each(['', '0', '-1', '01', '1.0', '1e3', 'abc', '9223372036854775808', '10000000000000000000'])(
    'is not %j',
    (text) => expect(parseId(text)).toBeNull(),
  )
})

describe('instant', () => {
  it('is East Africa Time at Daraja and UTC in the guide', () => {
    const instant = new Date('2025-05-22T08:47:05.900Z')
    expect(toDarajaTimestamp(instant)).toBe('20250522114705')
    expect(toGuideInstant(instant)).toBe('2025-05-22T08:47:05Z')
    expect(fromDarajaTimestamp('20250522114705')?.toISOString()).toBe('2025-05-22T08:47:05.000Z')
  })
  it.each(['', '2025', '20250231000000', '20251301000000', '20250522246000', 'x'])('is not %j', (digits) =>
    expect(fromDarajaTimestamp(digits)).toBeNull(),
  )
})
