import { describe, expect, test } from 'vitest'
import { readPush } from '../../src/simulator/push-request.ts'
import { toDarajaTimestamp } from '../../src/values/instant.ts'
import { pushBody, signature } from './harness.ts'

const now = new Date('2026-05-04T18:04:10Z')
const inEastAfricaTime = '20260504210410'
const inUtc = '20260504180410'

const read = (change: Record<string, unknown> = {}) =>
  readPush(Buffer.from(JSON.stringify(pushBody({ ...signature(inEastAfricaTime), ...change }))), now)

test('a push that keeps to the documentation passes without a warning', () => {
  expect(read()).toEqual({
    ok: true,
    value: {
      shortcode: '174379',
      phone: '254712345678',
      amountKes: 150,
      accountReference: 'INV2025001',
      callbackUrl: 'http://127.0.0.1:9/callbacks/stk/1',
      warnings: [],
    },
  })
})

test('every field may be a string or a number', () => {
  const asStrings = read({
    BusinessShortCode: '174379',
    Amount: '150',
    PartyA: '254712345678',
    PartyB: '174379',
    PhoneNumber: '254712345678',
  })
  expect(asStrings).toEqual(read())
  const asNumbers = read({
    Timestamp: Number(inEastAfricaTime),
    AccountReference: 20_250_001,
    TransactionDesc: 7,
  })
  expect(asNumbers).toMatchObject({ ok: true, value: { accountReference: '20250001', warnings: [] } })
})

test.each<[string, Record<string, unknown>]>([
  ['buy goods', { TransactionType: 'CustomerBuyGoodsOnline' }],
  ['a till of seven digits', { PartyB: 5_123_456 }],
  ['one shilling', { Amount: 1 }],
  ['the most', { Amount: 250_000 }],
  ['an Airtel-like range of Safaricom', { PartyA: 254_112_345_678, PhoneNumber: 254_112_345_678 }],
  ['https', { CallBackURL: 'https://pay.example.com/callbacks/stk/abc' }],
  ['unknown fields', { Remark: 'x' }],
])('accepted: %s', (_name, change) => {
  expect(read(change)).toMatchObject({ ok: true, value: { warnings: [] } })
})

describe('refused with 400.002.02', () => {
  test.each<[string, string, unknown]>([
    ['BusinessShortCode', 'BusinessShortCode', undefined],
    ['BusinessShortCode', 'BusinessShortCode', '1743'],
    ['BusinessShortCode', 'BusinessShortCode', 'abcdef'],
    ['Password', 'Password', ''],
    ['Timestamp', 'Timestamp', '2026-05-04'],
    ['Timestamp', 'Timestamp', '20260231210410'],
    ['TransactionType', 'TransactionType', 'CustomerPayBill'],
    ['Amount', 'Amount', 0],
    ['Amount', 'Amount', -1],
    ['Amount', 'Amount', 1.5],
    ['Amount', 'Amount', '150.00'],
    ['Amount', 'Amount', 250_001],
    ['Amount', 'Amount', 1e21],
    ['Amount', 'Amount', null],
    ['PartyA', 'PartyA', '0712345678'],
    ['PartyB', 'PartyB', null],
    ['PhoneNumber', 'PhoneNumber', '+254712345678'],
    ['PhoneNumber', 'PhoneNumber', 254_812_345_678],
    ['PhoneNumber', 'PhoneNumber', [254_712_345_678]],
    ['CallBackURL', 'CallBackURL', undefined],
    ['CallBackURL', 'CallBackURL', 'example.com/callback'],
    ['CallBackURL', 'CallBackURL', 'https://'],
    ['CallBackURL', 'CallBackURL', 'https://my-mpesa.example.com/callback'],
    ['CallBackURL', 'CallBackURL', 'https://example.com/SafariCom'],
    ['CallBackURL', 'CallBackURL', 'https://example.com/callback/ab3EXE'],
    ['CallBackURL', 'CallBackURL', 'https://example.com/execute'],
    ['CallBackURL', 'CallBackURL', 'https://example.com/?cmd=1'],
    ['CallBackURL', 'CallBackURL', 'https://example.com/mySQL'],
    ['CallBackURL', 'CallBackURL', 'https://example.com/query'],
    ['AccountReference', 'AccountReference', undefined],
    ['AccountReference', 'AccountReference', null],
    ['AccountReference', 'AccountReference', ''],
    ['AccountReference', 'AccountReference', '1234567890123'],
    ['TransactionDesc', 'Remarks', undefined],
    ['TransactionDesc', 'Remarks', null],
    ['TransactionDesc', 'Remarks', ''],
  ])('%s: named %s: %j', (field, named, value) => {
    expect(read({ [field]: value })).toMatchObject({
      ok: false,
      error: { status: 400, code: '400.002.02', message: `Bad Request - Invalid ${named}` },
    })
  })
})

test.each(['', '{', '[]', 'null', '"text"', '7'])('a body that is no JSON object is refused: %s', (body) => {
  expect(readPush(Buffer.from(body), now)).toMatchObject({ ok: false, error: { code: '400.002.05' } })
})

test.each([
  ['of another shortcode', `600000passkey${inEastAfricaTime}`],
  ['of another timestamp', 'MTc0Mzc5'.concat('passkey20260504210411')],
  ['without a passkey', `174379${inEastAfricaTime}`],
])('a password %s is refused', (_name, password) => {
  expect(read({ Password: Buffer.from(password).toString('base64') })).toMatchObject({
    ok: false,
    error: { status: 500, code: '500.001.1001', message: 'Wrong credentials' },
  })
})

describe('what Daraja lets pass is accepted with a warning', () => {
  test.each<[string, Record<string, unknown>]>([
    ['TransactionType has blanks around it', { TransactionType: 'CustomerPayBillOnline ' }],
    ['TransactionDesc is longer than 13 characters', { TransactionDesc: 'Lipa na Mpesa Online' }],
    ['AccountReference holds more than letters and digits', { AccountReference: 'Test Payment' }],
    [
      'Timestamp is now neither in East Africa Time nor in UTC',
      signature(toDarajaTimestamp(new Date('2026-05-04T13:04:10Z'))),
    ],
  ])('%s', (warning, change) => {
    expect(read(change)).toMatchObject({ ok: true, value: { warnings: [warning] } })
  })

  test('a timestamp in UTC is as good as one in East Africa Time', () => {
    expect(read(signature(inUtc))).toMatchObject({ ok: true, value: { warnings: [] } })
  })
})
