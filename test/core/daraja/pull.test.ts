import { afterEach, expect, it } from 'vitest'
import type { Daraja } from '../../../src/core/daraja/call.ts'
import { pullPage } from '../../../src/core/daraja/pull.ts'
import { systemClock } from '../../../src/runtime/clock.ts'
import { answered } from './answered.ts'

const WINDOW = { from: new Date('2026-11-25T09:00:00Z'), to: new Date('2026-11-25T10:00:00Z'), offset: 0 }

let rows: readonly object[] = []
afterEach(() => {
  rows = []
})

const daraja: Daraja = {
  account: {
    consumerKey: 'key',
    consumerSecret: 'secret',
    shortcode: '174379',
    passkey: 'passkey',
    transactionType: 'CustomerPayBillOnline',
    partyB: '174379',
  },
  send: () => Promise.resolve(answered(200, JSON.stringify({ ResponseCode: '1000', Response: [rows] }))),
  tokens: { get: () => Promise.resolve({ kind: 'token', token: 'token' }), forget: () => undefined },
  clock: systemClock,
}

const row = (transactionId: string, transactiontype?: string) => ({
  transactionId,
  trxDate: '2026-11-25T09:20:00Z',
  msisdn: 254_712_345_678,
  billreference: '3P8K2M',
  amount: '150.00',
  transactiontype,
})

it('reads what was paid, of whatever kind, and not what was given back, which has the same reference and amount', async () => {
  rows = [
    row('UE4A11B2C2', 'c2b-pay-bill-reversal'),
    row('UE4A11B2C3', 'c2b-pay-bill-debit'),
    row('UE4A11B2C4', 'c2b-buy-goods-debit'),
    row('UE4A11B2C5'),
    row('UE4A11B2C6', 'Transaction Reversal'),
  ]
  const page = await pullPage(daraja, WINDOW)
  expect(page).toMatchObject({
    kind: 'page',
    rows: 5,
    transactions: [{ receipt: 'UE4A11B2C3' }, { receipt: 'UE4A11B2C4' }, { receipt: 'UE4A11B2C5' }],
  })
})
