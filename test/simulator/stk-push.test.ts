import { request } from 'undici'
import { describe, expect, test } from 'vitest'
import { toDarajaTimestamp } from '../../src/values/instant.ts'
import { openSimulator, pushBody, signature } from './harness.ts'

const A_MINUTE_MS = 60_000
const now = new Date('2026-05-04T18:04:10Z')
const inEastAfricaTime = '20260504210410'
const inUtc = '20260504180410'

/** A simulator at a fixed time, and a push at that time with some fields changed. */
const open = async () => {
  const simulator = await openSimulator({ callbackDelayMs: A_MINUTE_MS, clock: () => now })
  const push = (change: Record<string, unknown> = {}) =>
    simulator.push(pushBody({ ...signature(inEastAfricaTime), ...change }))
  return { simulator, push }
}

/** What a push that differs from a plain one in these fields is answered, and what the ledger then holds of it. */
const pushed = async (change: Record<string, unknown> = {}) => {
  const { simulator, push } = await open()
  const { status, body } = await push(change)
  const { entries, pushes, refused } = await simulator.ledger()
  expect([pushes, refused, entries.length]).toEqual(status === 200 ? [1, 0, 1] : [1, 1, 0])
  return { status, body, entry: entries[0] }
}

test('a push is accepted in the form of 2026', async () => {
  const { status, body } = await pushed()
  expect(status).toBe(200)
  expect(Object.entries(body)).toEqual([
    ['MerchantRequestID', expect.stringMatching(/^[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{16,20}$/)],
    ['CheckoutRequestID', expect.stringMatching(/^ws_CO_\d{14}\d{1,3}712345678$/)],
    ['ResponseCode', '0'],
    ['ResponseDescription', 'Success. Request accepted for processing'],
    ['CustomerMessage', 'Success. Request accepted for processing'],
  ])
})

test('nothing is idempotent: the same push twice prompts twice', async () => {
  const { simulator, push } = await open()
  const [first, second] = [await push(), await push()]
  expect(second.body['CheckoutRequestID']).not.toBe(first.body['CheckoutRequestID'])
  expect((await simulator.ledger()).prompts).toBe(2)
})

test('an unknown token is refused and prompts nobody', async () => {
  const { simulator } = await open()
  const answer = await simulator.post('/mpesa/stkpush/v1/processrequest', pushBody(), 'Bearer unknown')
  const error = { errorCode: '404.001.03', errorMessage: 'Invalid Access Token' }
  expect(answer).toEqual({ status: 404, body: { requestId: expect.any(String), ...error } })
  expect(await simulator.ledger()).toMatchObject({ pushes: 1, refused: 1, prompts: 0, entries: [] })
})

test('JSON is taken under any content type, and under none', async () => {
  const { url, token } = await openSimulator({ callbackDelayMs: A_MINUTE_MS })
  for (const type of [
    'application/json;charset=UTF-8',
    'application/json; charset=latin1',
    'text/plain',
    undefined,
  ]) {
    const answer = await request(`${url}/mpesa/stkpush/v1/processrequest`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, ...(type !== undefined && { 'content-type': type }) },
      body: JSON.stringify(pushBody()),
    })
    expect(answer.statusCode).toBe(200)
    await answer.body.dump()
  }
})

const plainEntry = {
  shortcode: '174379',
  phone: '254712345678',
  amount: 150,
  account_reference: 'INV2025001',
  callback_url: 'http://127.0.0.1:9/callbacks/stk/1',
  warnings: [],
}

test.each<[string, Record<string, unknown>, Record<string, unknown>]>([
  ['as documented', {}, {}],
  [
    'strings in the place of numbers',
    {
      BusinessShortCode: '174379',
      Amount: '150',
      PartyA: '254712345678',
      PartyB: '174379',
      PhoneNumber: '254712345678',
    },
    {},
  ],
  [
    'numbers in the place of strings',
    { Timestamp: Number(inEastAfricaTime), AccountReference: 20_250_001, TransactionDesc: 7 },
    { account_reference: '20250001' },
  ],
  ['buy goods', { TransactionType: 'CustomerBuyGoodsOnline' }, {}],
  ['a till of seven digits', { PartyB: 5_123_456 }, {}],
  ['one shilling', { Amount: 1 }, { amount: 1 }],
  ['the most', { Amount: 250_000 }, { amount: 250_000 }],
  [
    'an Airtel-like range of Safaricom',
    { PartyA: 254_112_345_678, PhoneNumber: 254_112_345_678 },
    { phone: '254112345678' },
  ],
  [
    'https',
    { CallBackURL: 'https://pay.example.com/callbacks/stk/abc' },
    { callback_url: 'https://pay.example.com/callbacks/stk/abc' },
  ],
  ['unknown fields', { Remark: 'x' }, {}],
  ['a timestamp in UTC', signature(inUtc), {}],
])('accepted without a warning: %s', async (_name, change, expected) => {
  expect(await pushed(change)).toMatchObject({ status: 200, entry: { ...plainEntry, ...expected } })
})

test.each<[string, Record<string, unknown>]>([
  ['TransactionType has blanks around it', { TransactionType: 'CustomerPayBillOnline ' }],
  ['TransactionDesc is longer than 13 characters', { TransactionDesc: 'Lipa na Mpesa Online' }],
  ['AccountReference holds more than letters and digits', { AccountReference: 'Test Payment' }],
  [
    'Timestamp is now neither in East Africa Time nor in UTC',
    signature(toDarajaTimestamp(new Date('2026-05-04T13:04:10Z'))),
  ],
])('accepted with a warning: %s', async (warning, change) => {
  expect(await pushed(change)).toMatchObject({ status: 200, entry: { warnings: [warning] } })
})

describe('refused with 400.002.02, which names the field', () => {
  test.each<[string, unknown[]]>([
    ['BusinessShortCode', [undefined, '1743', 'abcdef']],
    ['Password', ['']],
    ['Timestamp', ['2026-05-04', '20260231210410']],
    ['TransactionType', ['CustomerPayBill']],
    ['Amount', [0, -1, 1.5, '150.00', 250_001, 1e21, null]],
    ['PartyA', ['0712345678']],
    ['PartyB', [null]],
    ['PhoneNumber', ['+254712345678', 254_812_345_678, [254_712_345_678]]],
    ['CallBackURL', [undefined, 'example.com/callback', 'https://', 'https://my-mpesa.example.com/callback']],
    ['CallBackURL', ['https://example.com/SafariCom', 'https://example.com/callback/ab3EXE']],
    ['CallBackURL', ['https://example.com/execute', 'https://example.com/?cmd=1']],
    ['CallBackURL', ['https://example.com/mySQL', 'https://example.com/query']],
    ['AccountReference', [undefined, null, '', '1234567890123']],
    ['TransactionDesc', [undefined, null, '']],
  ])('%s: %j', async (field, values) => {
    const { simulator, push } = await open()
    const named = field === 'TransactionDesc' ? 'Remarks' : field
    for (const value of values) {
      expect(await push({ [field]: value })).toMatchObject({
        status: 400,
        body: { errorCode: '400.002.02', errorMessage: `Bad Request - Invalid ${named}` },
      })
    }
    expect(await simulator.ledger()).toMatchObject({ refused: values.length, prompts: 0, entries: [] })
  })
})

test('a body that is no JSON object is refused', async () => {
  const { simulator } = await open()
  for (const body of ['', '{', '[]', 'null', '"text"', '7']) {
    expect(await simulator.push(body)).toMatchObject({ status: 400, body: { errorCode: '400.002.05' } })
  }
})

test.each([
  ['of another shortcode', `600000passkey${inEastAfricaTime}`],
  ['of another timestamp', 'MTc0Mzc5'.concat('passkey20260504210411')],
  ['without a passkey', `174379${inEastAfricaTime}`],
])('a password %s is refused', async (_name, password) => {
  expect(await pushed({ Password: Buffer.from(password).toString('base64') })).toMatchObject({
    status: 500,
    body: { errorCode: '500.001.1001', errorMessage: 'Wrong credentials' },
  })
})
