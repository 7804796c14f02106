import { expect, test } from 'vitest'
import { eventually, openReceiver, openSimulator, pushBody } from './harness.ts'

test('a payment is told to its own URL, unchanged, in the form of 2026', async () => {
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
