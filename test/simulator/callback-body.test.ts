import { describe, expect, test } from 'vitest'
import { type Behaviour, PLAIN } from '../../src/simulator/behaviour.ts'
import { callbackBody } from '../../src/simulator/callback-body.ts'
import { CANCELLED, PAID, RARE_RESULTS } from '../../src/simulator/results.ts'

const prompt = {
  merchantRequestId: '2654-4b64-97ff-b827b542881d3130',
  checkoutRequestId: 'ws_CO_04052026210410237712345678',
  amountKes: 1,
  phone: '254712345678',
}
const endedAt = new Date('2026-05-04T18:04:28Z')
const transaction = { receipt: 'UE4A11B2C3', paidAt: endedAt, amountKes: 1 }

const paid = (form: Partial<Behaviour> = {}): string =>
  callbackBody({ prompt, result: PAID, transaction, form: { ...PLAIN, ...form }, endedAt })

const cancelled = (form: Partial<Behaviour> = {}): string =>
  callbackBody({ prompt, result: CANCELLED, transaction: null, form: { ...PLAIN, ...form }, endedAt })

describe('of a success', () => {
  test('is the recorded one to the byte', () => {
    expect(paid()).toBe(
      '{"Body":{"stkCallback":{"MerchantRequestID":"2654-4b64-97ff-b827b542881d3130","CheckoutRequestID":"ws_CO_04052026210410237712345678","ResultCode":0,"ResultDesc":"The service request is processed successfully.","CallbackMetadata":{"Item":[{"Name":"Amount","Value":1},{"Name":"MpesaReceiptNumber","Value":"UE4A11B2C3"},{"Name":"TransactionDate","Value":20260504210428},{"Name":"PhoneNumber","Value":254712345678}]}}}}',
    )
  })

  test.each<[string, Partial<Behaviour>, string]>([
    [
      'with a balance',
      { items: 'balance' },
      '[{"Name":"Amount","Value":1.00},{"Name":"MpesaReceiptNumber","Value":"UE4A11B2C3"},{"Name":"Balance","Value":49197.00},{"Name":"TransactionDate","Value":20260504210428},{"Name":"PhoneNumber","Value":254712345678}]',
    ],
    [
      'with an empty balance',
      { items: 'empty-balance' },
      '[{"Name":"Amount","Value":1.00},{"Name":"MpesaReceiptNumber","Value":"UE4A11B2C3"},{"Name":"Balance"},{"Name":"TransactionDate","Value":20260504210428},{"Name":"PhoneNumber","Value":254712345678}]',
    ],
    [
      'in strings',
      { numbers: 'strings' },
      '[{"Name":"Amount","Value":"1"},{"Name":"MpesaReceiptNumber","Value":"UE4A11B2C3"},{"Name":"TransactionDate","Value":"20260504210428"},{"Name":"PhoneNumber","Value":"254712345678"}]',
    ],
    [
      'in strings with a balance',
      { numbers: 'strings', items: 'balance' },
      '[{"Name":"Amount","Value":"1.00"},{"Name":"MpesaReceiptNumber","Value":"UE4A11B2C3"},{"Name":"Balance","Value":"49197.00"},{"Name":"TransactionDate","Value":"20260504210428"},{"Name":"PhoneNumber","Value":"254712345678"}]',
    ],
  ])('%s', (_name, form, items) => {
    expect(paid(form)).toContain(`"CallbackMetadata":{"Item":${items}}`)
  })

  test('has its result code as a string among strings', () => {
    expect(paid({ numbers: 'strings' })).toContain('"ResultCode":"0"')
  })

  test('hides the phone number', () => {
    expect(paid({ phoneForm: 'masked' })).toContain('{"Name":"PhoneNumber","Value":"2547 ***** 678"}')
    expect(paid({ phoneForm: 'hashed' })).toMatch(/\{"Name":"PhoneNumber","Value":"[0-9a-f]{64}"\}/)
  })
})

describe('of a failure', () => {
  test('has no metadata', () => {
    expect(cancelled()).toBe(
      '{"Body":{"stkCallback":{"MerchantRequestID":"2654-4b64-97ff-b827b542881d3130","CheckoutRequestID":"ws_CO_04052026210410237712345678","ResultCode":1032,"ResultDesc":"Request cancelled by user"}}}',
    )
  })

  test('has metadata without values, or with all but a receipt', () => {
    expect(cancelled({ failureItems: 'empty' })).toContain(
      '"CallbackMetadata":{"Item":[{"Name":"Amount"},{"Name":"MpesaReceiptNumber"},{"Name":"TransactionDate"},{"Name":"PhoneNumber"}]}',
    )
    expect(cancelled({ failureItems: 'filled' })).toContain(
      '"CallbackMetadata":{"Item":[{"Name":"Amount","Value":1},{"Name":"MpesaReceiptNumber"},{"Name":"TransactionDate","Value":20260504210428},{"Name":"PhoneNumber","Value":254712345678}]}',
    )
  })

  test('has a code that need not be a number', () => {
    const result = RARE_RESULTS.find(({ name }) => name === 'bad-debt')?.result ?? PAID
    const body = callbackBody({ prompt, result, transaction: null, form: PLAIN, endedAt })
    expect(body).toContain('"ResultCode":"E3008"')
  })
})
