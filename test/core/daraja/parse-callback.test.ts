import { describe, expect, it } from 'vitest'
import { parseCallback } from '../../../src/core/daraja/parse-callback.ts'
import samples from '../../fixtures/daraja-samples.json' with { type: 'json' }

const parse = (body: string) => parseCallback(Buffer.from(body))

const sampleOf = (kind: string): string => {
  const sample = samples.find((one) => one.kind.startsWith(kind))
  if (!sample) throw new Error(`no sample ${kind}`)
  return sample.body
}

const NOT_UNDERSTOOD = { kind: 'not_understood' }

/** Fields of a paid callback with items, by their names. */
const paidWith = (items: Record<string, unknown>): object => {
  const list = Object.entries(items).map(([Name, Value]) => ({ Name, Value }))
  return { CallbackMetadata: { Item: 'only' in items ? items['only'] : list } }
}

const callback = (fields: object): string => JSON.stringify({ Body: { stkCallback: fields } })

describe('a callback', () => {
  it('reads today’s form', () => {
    expect(parse(sampleOf('callback-success-2026-05'))).toEqual({
      kind: 'understood',
      outcome: 'successful',
      merchantRequestId: '4ddd-4866-824e-3f944c695ba350353555',
      checkoutRequestId: 'ws_CO_04052026210410237743464097',
      resultCode: '0',
      resultDesc: 'The service request is processed successfully.',
      receipt: 'UE4JS31RBV',
      amountKes: 1,
      transactionDate: new Date('2026-05-04T18:04:28Z'),
      payerMsisdn: '254743464097',
    })
  })

  it.each([
    ['callback-success-2022', 'QJD4T7ZOT0'],
    ['callback-success-2019', 'NCB9FJNAIT'],
    ['callback-success-documented', 'NLJ7RT61SV'],
  ])('reads %s', (kind, receipt) => {
    expect(parse(sampleOf(kind))).toMatchObject({ resultCode: '0', receipt, amountKes: 1 })
  })

  it.each([
    ['callback-1037-ds-timeout-2025', '1037'],
    ['callback-1036', '1036'],
    ['callback-1032', '1032'],
    ['callback-1031', '1031'],
    ['callback-2001', '2001'],
    ['callback-1-insufficient', '1'],
  ])('reads the failure %s', (kind, resultCode) => {
    expect(parse(sampleOf(kind))).toMatchObject({ resultCode, receipt: null, transactionDate: null })
  })

  it('understands neither what is no JSON nor what is no stkCallback', () => {
    expect(parse(sampleOf('callback-1019'))).toEqual({ kind: 'not_understood', reason: 'no JSON' })
    expect(parse(sampleOf('callback-other-market'))).toMatchObject(NOT_UNDERSTOOD)
    for (const body of ['', 'null', '[]', '{}', '{"Body":1}', callback({}), callback({ ResultCode: null })]) {
      expect(parse(body)).toMatchObject(NOT_UNDERSTOOD)
    }
  })

  it.each([
    '-0',
    '0e99',
    '1e-400',
    '0.0',
    '00',
    '"00"',
    '" 0"',
    '"0 "',
    '"\\u00a00"',
    '"\\ufeff0"',
    '"0\\u0000"',
    '"-0"',
    '"+0"',
    '"0.0"',
    '"0e0"',
    '"0x0"',
    '"\uff10"',
    '"01032"',
    '1032.0',
    '1.032e3',
    '" 1032"',
    '"1032\\u0000"',
    '""',
    'true',
    '[0]',
    '{"toString":0}',
  ])('takes ResultCode %s neither for paid nor for failed', (code) => {
    expect(parse(`{"Body":{"stkCallback":{"ResultCode":${code}}}}`)).toMatchObject(NOT_UNDERSTOOD)
  })

  it.each([
    ['0', '0'],
    ['"0"', '0'],
    ['"\\u0030"', '0'],
    ['1032', '1032'],
    ['"1032"', '1032'],
    ['-1', '-1'],
    ['"E3008"', 'E3008'],
    ['"400.002.02"', '400.002.02'],
  ])('takes ResultCode %s for %s', (code, resultCode) => {
    expect(parse(`{"Body":{"stkCallback":{"ResultCode":${code}}}}`)).toMatchObject({ resultCode })
  })

  it.each([
    ['ResultCode', '"ResultCode":0,"ResultCode":0'],
    ['ResultCode, once spelled otherwise', '"ResultCode":1032,"\\u0052esultCode":0'],
    ['CheckoutRequestID', '"ResultCode":0,"CheckoutRequestID":"a","CheckoutRequestID":"b"'],
    [
      'an item',
      '"ResultCode":0,"CallbackMetadata":{"Item":[{"Name":"Amount","Value":1},{"Name":"Amount","Value":150}]}',
    ],
  ])('does not choose between two of %s', (_name, fields) => {
    expect(parse(`{"Body":{"stkCallback":{${fields}}}}`)).toMatchObject(NOT_UNDERSTOOD)
  })

  it.each([
    ['4999', { ResultCode: 4999 }],
    ['under processing', { ResultCode: 1037, ResultDesc: 'The transaction is still under processing' }],
    ['being processed', { ResultCode: 1, ResultDesc: 'The transaction is being processed' }],
  ])('takes no word of a prompt that is still open for an ending: %s', (_name, fields) => {
    expect(parse(callback(fields))).toEqual({ kind: 'not_understood', reason: 'pending' })
  })

  it('takes 0 for paid whatever the text says', () => {
    expect(parse(callback({ ResultCode: 0, ResultDesc: 'still under processing' }))).toMatchObject({
      kind: 'understood',
      resultCode: '0',
    })
  })

  it.each(['null', '{}', '[]', '1', '"x"', '{"Name":1,"Value":2}', '{"Name":"Balance"}', '{"Value":1}'])(
    'reads every other item beside %s',
    (odd) => {
      const amount = '{"Name":"Amount","Value":1}'
      const receipt = '{"Name":"MpesaReceiptNumber","Value":"UE4A11B2C3"}'
      for (const list of [
        [amount, receipt, odd],
        [odd, amount, receipt],
        [amount, odd, receipt],
      ]) {
        const metadata = `{"Item":[${list.join(',')}]}`
        expect(
          parse(`{"Body":{"stkCallback":{"ResultCode":0,"CallbackMetadata":${metadata}}}}`),
        ).toMatchObject({ resultCode: '0', receipt: 'UE4A11B2C3', amountKes: 1 })
      }
    },
  )

  it.each([
    ['a numeric MerchantRequestID', { MerchantRequestID: 29115 }, { merchantRequestId: '29115' }],
    ['an id that is an object', { MerchantRequestID: { a: 1 } }, { merchantRequestId: null }],
    ['a ResultDesc that is none', { ResultDesc: ['x'] }, { resultDesc: '' }],
    ['a numeric ResultDesc', { ResultDesc: 5 }, { resultDesc: '5' }],
    ['metadata that is none', { CallbackMetadata: 'x' }, { receipt: null }],
    ['an item that is no list', paidWith({ only: { Name: 'Amount', Value: 7 } }), { amountKes: 7 }],
    ['an empty amount', paidWith({ Amount: '' }), { amountKes: null }],
    ['an amount that is an object', paidWith({ Amount: { toString: 1, valueOf: 1 } }), { amountKes: null }],
    ['an amount of the old form', paidWith({ Amount: '1.00' }), { amountKes: 1 }],
    ['a numeric receipt', paidWith({ MpesaReceiptNumber: 1234567890 }), { receipt: '1234567890' }],
    ['blanks around a receipt', paidWith({ MpesaReceiptNumber: ' UE4A11B2C3 ' }), { receipt: 'UE4A11B2C3' }],
    ['a receipt that is none', paidWith({ MpesaReceiptNumber: 'x'.repeat(65) }), { receipt: null }],
    ['a date that is none', paidWith({ TransactionDate: 'yesterday' }), { transactionDate: null }],
    ['a payer as text', paidWith({ PhoneNumber: '254712345678' }), { payerMsisdn: '254712345678' }],
    ['a payer masked', paidWith({ PhoneNumber: '2547 ***** 126' }), { payerMsisdn: null }],
    ['a payer cut', paidWith({ PhoneNumber: 712345678 }), { payerMsisdn: null }],
    ['a payer hashed', paidWith({ PhoneNumber: 'ab'.repeat(32) }), { payerMsisdn: null }],
  ])('reads each field by itself: %s', (_name, fields, expected) => {
    expect(parse(callback({ ResultCode: 0, ...fields }))).toMatchObject({ resultCode: '0', ...expected })
  })

  it('passes over a byte order mark', () => {
    expect(parse(`\ufeff${callback({ ResultCode: 0 })}`)).toMatchObject({ resultCode: '0' })
  })

  it('cuts a text without leaving half of a character, and replaces what is half a character', () => {
    const descOf = (text: string): unknown => parse(callback({ ResultCode: 1, ResultDesc: text }))
    expect(descOf(`${'x'.repeat(999)}\u{1f600}`)).toMatchObject({ resultDesc: 'x'.repeat(999) })
    expect(parse(String.raw`{"Body":{"stkCallback":{"ResultCode":1,"ResultDesc":"x\ud83d"}}}`)).toMatchObject(
      {
        resultDesc: 'x\ufffd',
      },
    )
  })

  it('takes numbers as strings and codes that are not numeric', () => {
    const paid = callback({
      ResultCode: '0',
      CallbackMetadata: {
        Item: [
          { Name: 'TransactionDate', Value: '20260504210428' },
          { Name: 'Amount', Value: '1.00' },
          { Name: 'MpesaReceiptNumber', Value: 'UE4A11B2C3' },
        ],
      },
    })
    expect(parse(paid)).toMatchObject({ resultCode: '0', amountKes: 1, receipt: 'UE4A11B2C3' })
    expect(parse(callback({ ResultCode: 'SFC_IC0003' }))).toMatchObject({ resultCode: 'SFC_IC0003' })
  })

  it('never takes metadata for a success', () => {
    const failed = callback({
      ResultCode: 1032,
      CallbackMetadata: { Item: [{ Name: 'MpesaReceiptNumber', Value: 'UE4A11B2C3' }] },
    })
    expect(parse(failed)).toMatchObject({ resultCode: '1032', receipt: null })
  })

  it('drops NUL, which Postgres cannot keep', () => {
    expect(parse(callback({ ResultCode: 1, ResultDesc: 'a\u0000b' }))).toMatchObject({ resultDesc: 'ab' })
  })
})
