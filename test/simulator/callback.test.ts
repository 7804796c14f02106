import { describe, expect, test } from 'vitest'
import { callbackBody } from '../../src/simulator/callback.ts'
import { type Behaviour, OUTCOMES, PAID_ENDINGS, type Result } from '../../src/simulator/outcomes.ts'
import { eventually, openReceiver, openSimulator, pushBody } from './harness.ts'

test('a callback of a payment goes to its own URL, unchanged, in the form of 2026', async () => {
  const simulator = await openSimulator({ callbackDelayMs: 5 })
  const receiver = await openReceiver()
  const { body: push } = await simulator.push(
    pushBody({ CallBackURL: `${receiver.url}/callbacks/stk/0a1b2c?from=daraja` }),
  )
  await eventually(() => expect(receiver.received).toHaveLength(1))
  const [received] = receiver.received
  expect(received?.url).toBe('/callbacks/stk/0a1b2c?from=daraja')
  expect(received?.headers['content-type']).toBe('application/json;charset=UTF-8')
  expect(received?.rawHeaders).toContain('Businessshortcode')
  expect(received?.headers['businessshortcode']).toBe('174379')
  expect(JSON.parse(received?.body ?? '')).toEqual({
    Body: {
      stkCallback: {
        MerchantRequestID: push['MerchantRequestID'],
        CheckoutRequestID: push['CheckoutRequestID'],
        ResultCode: 0,
        ResultDesc: 'The service request is processed successfully.',
        CallbackMetadata: {
          Item: [
            { Name: 'Amount', Value: 150 },
            { Name: 'MpesaReceiptNumber', Value: expect.stringMatching(/^[A-Z][A-L][1-9A-V][0-9A-Z]{7}$/) },
            { Name: 'TransactionDate', Value: expect.any(Number) },
            { Name: 'PhoneNumber', Value: 254_712_345_678 },
          ],
        },
      },
    },
  })
})

test('a receiver that answers 500 gets it once: counted, logged, not repeated', async () => {
  const simulator = await openSimulator({ callbackDelayMs: 5 })
  const receiver = await openReceiver({ status: 500 })
  await simulator.push(pushBody({ CallBackURL: `${receiver.url}/callbacks/stk/0a1b2c` }))
  await eventually(async () => {
    expect(await simulator.ledger()).toMatchObject({
      callbacks_posted: 1,
      callbacks_failed: 1,
      entries: [{ callbacks: [{ status: 500, error: null }] }],
    })
  })
  // Another payment's callback comes and goes: time enough for a repetition.
  await simulator.push(pushBody({ CallBackURL: `${receiver.url}/callbacks/stk/other` }))
  await eventually(() => expect(receiver.received).toHaveLength(2))
  expect(receiver.received.map(({ url }) => url)).toEqual(['/callbacks/stk/0a1b2c', '/callbacks/stk/other'])
  expect(simulator.logLines.some((line) => line.includes('callback failed'))).toBe(true)
})

test('a receiver that is not there is a failure with its reason', async () => {
  const simulator = await openSimulator({ callbackDelayMs: 5 })
  await simulator.push(pushBody({ CallBackURL: 'http://127.0.0.1:1/callbacks/stk/0a1b2c' }))
  await eventually(async () => {
    expect(await simulator.ledger()).toMatchObject({
      callbacks_failed: 1,
      entries: [{ callbacks: [{ status: null, error: 'ECONNREFUSED', answered_at: expect.any(String) }] }],
    })
  })
})

test('no log line holds a whole phone number or the token of a callback URL', async () => {
  const simulator = await openSimulator({ callbackDelayMs: 5 })
  const receiver = await openReceiver()
  const paths = ['/callbacks/stk/secret-token-1', '/callbacks/stk/secret-token-2?x=secret-token-3']
  for (const path of paths) await simulator.push(pushBody({ CallBackURL: `${receiver.url}${path}` }))
  await simulator.push(
    pushBody({ CallBackURL: 'http://127.0.0.1:1/secret-token-4', PhoneNumber: 254_700_000_031 }),
  )
  await eventually(async () => {
    const answered = (await simulator.ledger()).entries.flatMap(({ callbacks }) => callbacks)
    expect(answered.map(({ status, error }) => status ?? error)).toEqual([200, 200, 'ECONNREFUSED'])
  })
  const log = simulator.logLines.join('')
  expect(log).toContain('2547*****678')
  expect(log).toContain(`${receiver.url}/***`)
  expect(log).not.toContain('712345678')
  expect(log).not.toContain('700000031')
  expect(log).not.toContain('secret-token')
})

const entry = {
  merchant_request_id: '2654-4b64-97ff-b827b542881d3130',
  checkout_request_id: 'ws_CO_04052026210410237712345678',
  amount: 1,
  phone: '254712345678',
}
const endedAt = new Date('2026-05-04T18:04:28Z')
const resultOf = (outcome: string): Result => {
  const [ending] = OUTCOMES.find(({ name }) => name === outcome)?.does.endings ?? PAID_ENDINGS
  if (!ending) throw new Error(`${outcome} has no ending`)
  return ending.result
}

const paid = (behaviour: Behaviour = {}): string => {
  const transaction = { receipt: 'UE4A11B2C3', at: endedAt, amount: 1 }
  return callbackBody({ prompt: { entry, behaviour }, result: resultOf('paid'), transaction, endedAt })
}

const failed = (outcome: string, behaviour: Behaviour = {}): string => {
  const prompt = { entry, behaviour }
  return callbackBody({ prompt, result: resultOf(outcome), transaction: null, endedAt })
}

describe('the body of a success', () => {
  test('is the recorded one to the byte', () => {
    expect(paid()).toBe(
      '{"Body":{"stkCallback":{"MerchantRequestID":"2654-4b64-97ff-b827b542881d3130","CheckoutRequestID":"ws_CO_04052026210410237712345678","ResultCode":0,"ResultDesc":"The service request is processed successfully.","CallbackMetadata":{"Item":[{"Name":"Amount","Value":1},{"Name":"MpesaReceiptNumber","Value":"UE4A11B2C3"},{"Name":"TransactionDate","Value":20260504210428},{"Name":"PhoneNumber","Value":254712345678}]}}}}',
    )
  })

  test.each<[string, Behaviour, string]>([
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
      { stringsInCallback: true },
      '[{"Name":"Amount","Value":"1"},{"Name":"MpesaReceiptNumber","Value":"UE4A11B2C3"},{"Name":"TransactionDate","Value":"20260504210428"},{"Name":"PhoneNumber","Value":"254712345678"}]',
    ],
    [
      'in strings with a balance',
      { stringsInCallback: true, items: 'balance' },
      '[{"Name":"Amount","Value":"1.00"},{"Name":"MpesaReceiptNumber","Value":"UE4A11B2C3"},{"Name":"Balance","Value":"49197.00"},{"Name":"TransactionDate","Value":"20260504210428"},{"Name":"PhoneNumber","Value":"254712345678"}]',
    ],
  ])('%s', (_name, form, items) => {
    expect(paid(form)).toContain(`"CallbackMetadata":{"Item":${items}}`)
  })

  test('has its result code as a string among strings', () => {
    expect(paid({ stringsInCallback: true })).toContain('"ResultCode":"0"')
  })

  test('hides the phone number', () => {
    expect(paid({ phoneForm: 'masked' })).toContain('{"Name":"PhoneNumber","Value":"2547 ***** 678"}')
    expect(paid({ phoneForm: 'hashed' })).toMatch(/\{"Name":"PhoneNumber","Value":"[0-9a-f]{64}"\}/)
  })
})

describe('the body of a failure', () => {
  test('has no metadata', () => {
    expect(failed('cancelled')).toBe(
      '{"Body":{"stkCallback":{"MerchantRequestID":"2654-4b64-97ff-b827b542881d3130","CheckoutRequestID":"ws_CO_04052026210410237712345678","ResultCode":1032,"ResultDesc":"Request cancelled by user"}}}',
    )
  })

  test('has metadata without values, or with all but a receipt', () => {
    expect(failed('cancelled', { failureItems: 'empty' })).toContain(
      '"CallbackMetadata":{"Item":[{"Name":"Amount"},{"Name":"MpesaReceiptNumber"},{"Name":"TransactionDate"},{"Name":"PhoneNumber"}]}',
    )
    expect(failed('cancelled', { failureItems: 'filled' })).toContain(
      '"CallbackMetadata":{"Item":[{"Name":"Amount","Value":1},{"Name":"MpesaReceiptNumber"},{"Name":"TransactionDate","Value":20260504210428},{"Name":"PhoneNumber","Value":254712345678}]}',
    )
  })

  test('has a code that need not be a number', () => {
    expect(failed('bad-debt')).toContain('"ResultCode":"E3008"')
  })
})
