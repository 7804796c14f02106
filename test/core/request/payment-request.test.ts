import { describe, expect, it } from 'vitest'
import { fingerprintOf, parsePaymentRequest } from '../../../src/core/request/payment-request.ts'
import { paymentRequest } from '../../support/requests.ts'

const PRODUCTION = { allowHttp: false, allowPrivateNetworks: false }

const parse = (overrides: object) =>
  parsePaymentRequest(paymentRequest({ callbackUrl: 'https://shop.co.ke/cb', ...overrides }), {
    policy: PRODUCTION,
  })

const fingerprint = (overrides: object): string => {
  const parsed = parse(overrides)
  if (!('request' in parsed)) throw new Error(JSON.stringify(parsed))
  return fingerprintOf(parsed.request).toString('hex')
}

describe('a payment request', () => {
  it('is refused for its callback_url first, whatever else is wrong', () => {
    expect(parse({ callbackUrl: '', msisdn: '', amountKes: 0 })).toEqual({
      refusal: { field: 'callback_url', problem: 'is required' },
    })
  })

  it.each([
    ['msisdn', { msisdn: '0712345678' }],
    ['amount_kes', { amountKes: 0 }],
    ['reference', { reference: 'a\nb' }],
    ['metadata.order', { metadata: { order: 'a\nb' } }],
    ['expires_in_seconds', { expiresInSeconds: 5 }],
    ['idempotency_key', { idempotencyKey: '' }],
  ])('names the field %s', (field, overrides) => {
    expect(parse(overrides)).toMatchObject({ refusal: { field } })
  })

  it('keeps the fingerprint that every release gave it, whatever it says beside the four fields', () => {
    const known = '5f2d0f15ee44ca9f181501aa251a6dd0eb3a657b9c8fb2a8fff607839a7839eb'
    expect(fingerprint({})).toBe(known)
    expect(fingerprint({ metadata: { order: '17' }, expiresInSeconds: 600 })).toBe(known)
  })

  it('has the same fingerprint for the same four fields, and another for any other', () => {
    const first = fingerprint({})
    expect(fingerprint({ idempotencyKey: 'other' })).toBe(first)
    const others = [
      { msisdn: '254712345679' },
      { amountKes: 151 },
      { reference: 'INV-2025-002' },
      { reference: undefined },
      { callbackUrl: 'https://shop.co.ke/cb2' },
    ]
    expect(new Set([first, ...others.map(fingerprint)]).size).toBe(others.length + 1)
  })
})
