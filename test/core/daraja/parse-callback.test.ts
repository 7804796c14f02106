import { describe, expect, it } from 'vitest'
import { parseCallback } from '../../../src/core/daraja/parse-callback.ts'
import samples from '../../fixtures/daraja-samples.json' with { type: 'json' }

const parse = (body: string) => parseCallback(Buffer.from(body))

const sampleOf = (kind: string): string => {
  const sample = samples.find((one) => one.kind.startsWith(kind))
  if (!sample) throw new Error(`no sample ${kind}`)
  return sample.body
}

const callback = (fields: object): string => JSON.stringify({ Body: { stkCallback: fields } })

describe('a callback', () => {
  it('reads today’s form', () => {
    expect(parse(sampleOf('callback-success-2026-05'))).toEqual({
      merchantRequestId: '4ddd-4866-824e-3f944c695ba350353555',
      checkoutRequestId: 'ws_CO_04052026210410237743464097',
      resultCode: '0',
      resultDesc: 'The service request is processed successfully.',
      receipt: 'UE4JS31RBV',
      amountKes: 1,
      transactionDate: new Date('2026-05-04T18:04:28Z'),
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
    expect(parse(sampleOf('callback-1019'))).toBeNull()
    expect(parse(sampleOf('callback-other-market'))).toBeNull()
    for (const body of ['', 'null', '[]', '{}', '{"Body":1}', callback({}), callback({ ResultCode: null })]) {
      expect(parse(body)).toBeNull()
    }
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
    expect(parse(callback({ ResultCode: 1, ResultDesc: 'a\u0000b' }))?.resultDesc).toBe('ab')
  })
})
