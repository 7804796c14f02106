import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  openFacade,
  PRODUCTION,
  partnerHeaders,
  paymentBody,
  push,
  requestWithBody,
  STK_PUSH,
  type TestFacade,
} from '../facade/harness.ts'
import { expectRefusal } from './expect-refusal.ts'

const PHONE = 'phone must be a string of 12 digits that starts with 2547 or 2541, like "2547XXXXXXXX"'
const AMOUNT = 'amount must be a whole number of KES from 1 to 250000'
const REFERENCE = 'reference must be a string of 1 to 64 printable characters'
const KEY = 'X-Idempotency-Key must be 1 to 255 printable ASCII characters in one header line, like a UUID'
const URL_TEXT =
  'callback_url must be a URL in printable ASCII without spaces or backslashes, like "https://shop.co.ke/callback"'

let test: TestFacade
beforeAll(async () => {
  test = await openFacade({ config: { callbackUrlPolicy: PRODUCTION } })
})
afterAll(() => test.stop())

const pushed = (body: string | Buffer, headers: readonly string[] = []) =>
  requestWithBody(`POST ${STK_PUSH}`, [...partnerHeaders(test), ...headers], body)

describe('a field', () => {
  const rows: [what: string, overrides: Record<string, unknown>, message: string][] = [
    ['callback_url missing', { callback_url: undefined }, 'callback_url is required'],
    ['callback_url null', { callback_url: null }, 'callback_url is required'],
    ['callback_url empty', { callback_url: '' }, 'callback_url is required'],
    ['callback_url a number', { callback_url: 1 }, URL_TEXT],
    ['callback_url an array', { callback_url: ['https://shop.co.ke/cb'] }, URL_TEXT],
    ['callback_url with a NUL', { callback_url: 'https://shop.co.ke/\u0000' }, URL_TEXT],
    ['callback_url with half a surrogate', { callback_url: 'https://shop.co.ke/\ud800' }, URL_TEXT],
    ['phone missing', { phone: undefined }, PHONE],
    ['phone null', { phone: null }, PHONE],
    ['phone a number', { phone: 254712345678 }, PHONE],
    ['phone an array', { phone: ['254712345678'] }, PHONE],
    ['phone with a plus', { phone: '+254712345678' }, PHONE],
    ['phone in local form', { phone: '0712345678' }, PHONE],
    ['phone too long', { phone: '2547123456789' }, PHONE],
    ['phone with a line break', { phone: '254712345678\n' }, PHONE],
    ['phone in Arabic digits', { phone: '٢٥٤٧١٢٣٤٥٦٧٨' }, PHONE],
    ['amount missing', { amount: undefined }, AMOUNT],
    ['amount null', { amount: null }, AMOUNT],
    ['amount a string', { amount: '150' }, `${AMOUNT}, not a string`],
    ['amount true', { amount: true }, AMOUNT],
    ['amount with cents', { amount: 150.5 }, AMOUNT],
    ['amount 0', { amount: 0 }, AMOUNT],
    ['amount below 0', { amount: -150 }, AMOUNT],
    ['amount above the limit', { amount: 250_001 }, AMOUNT],
    ['amount beyond 32 bits', { amount: 4_294_967_446 }, AMOUNT],
    ['amount beyond all whole numbers', { amount: 1e300 }, AMOUNT],
    ['reference a number', { reference: 7 }, REFERENCE],
    ['reference an object', { reference: {} }, REFERENCE],
    ['reference too long', { reference: 'x'.repeat(65) }, REFERENCE],
    ['reference with a line break', { reference: 'INV\n1' }, REFERENCE],
    ['reference with a NUL', { reference: 'INV\u0000' }, REFERENCE],
    ['reference with half a surrogate', { reference: 'INV\ud83d' }, REFERENCE],
    [
      'everything wrong, callback_url too',
      { phone: 1, amount: 'x', reference: 1, callback_url: null },
      'callback_url is required',
    ],
    ['everything wrong but callback_url', { phone: 1, amount: 'x', reference: 1 }, PHONE],
  ]
  it.each(rows)('%s', async (_what, overrides, message) => {
    await expectRefusal(test, pushed(paymentBody(overrides)), 400, message)
  })

  it('amount takes 1 and 250,000; reference 64 characters of any script', async () => {
    for (const overrides of [{ amount: 1 }, { amount: 250_000 }, { reference: 'é🧾'.repeat(32) }]) {
      expect((await push(test, paymentBody(overrides))).status).toBe(200)
    }
  })

  it('amount beyond what a number can hold', async () => {
    await expectRefusal(test, pushed(paymentBody({ amount: 1 }).replace(':1,', ':1e999,')), 400, AMOUNT)
  })
})

describe('X-Idempotency-Key', () => {
  it.each([
    ['empty', ['X-Idempotency-Key:']],
    ['blank', ['X-Idempotency-Key:   ']],
    ['longer than 255 characters', [`X-Idempotency-Key: ${'k'.repeat(256)}`]],
    ['with a letter beyond ASCII', ['X-Idempotency-Key: cl\u00e9']],
    ['with a tab', ['X-Idempotency-Key: a\tb']],
    ['in two lines', ['X-Idempotency-Key: a', 'X-Idempotency-Key: b']],
    ['in two lines that are the same', ['X-Idempotency-Key: a', 'x-idempotency-key: a']],
    ['in two lines, one of them empty', ['X-Idempotency-Key: a', 'X-Idempotency-Key:']],
  ])('%s is refused', async (_what, headers) => {
    await expectRefusal(test, pushed(paymentBody(), headers), 400, KEY)
  })

  it.each(['k', 'a, b', ' !~ '.trim(), 'k'.repeat(255)])('%j is taken', async (key) => {
    const first = await push(test, paymentBody(), [`X-Idempotency-Key: ${key}`])
    const again = await push(test, paymentBody(), [`X-Idempotency-Key: ${key}`])
    expect([JSON.parse(first.body).status, JSON.parse(again.body).status]).toEqual(['success', 'duplicate'])
  })

  it('used again with another body is refused, and stays the first body’s', async () => {
    const key = ['X-Idempotency-Key: re-used']
    await push(test, paymentBody(), key)
    await expectRefusal(
      test,
      pushed(paymentBody({ amount: 151 }), key),
      422,
      'this idempotency key was used for a payment with other fields',
    )
    expect(JSON.parse((await push(test, paymentBody(), key)).body).status).toBe('duplicate')
  })
})
