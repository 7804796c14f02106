import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createPartnerClient, type PartnerClient } from '../../clients/typescript/src/partner-client.ts'
import { answerWith, type Behaviour, type Receiver, startReceiver } from '../support/receiver.ts'

const REQUEST = {
  phone: '254712345678',
  amount: 150,
  callback_url: 'https://yourapp.example.com/payment_callback',
}
const ACCEPTED = { status: 'success', transaction_id: 102, message: 'STK Push accepted for processing' }

const accept = answerWith(200, JSON.stringify(ACCEPTED))
const refuse = (status: number, message: string, headers: Record<string, string> = {}): Behaviour =>
  answerWith(status, JSON.stringify({ status: 'error', message }), { 'x-request-id': 'r-1', ...headers })
const cut: Behaviour = (_received, response) => response.destroy()

let server: Receiver
let gateway: PartnerClient

beforeAll(async () => {
  server = await startReceiver()
  gateway = createPartnerClient({ baseUrl: `${server.url}/`, apiKey: 'mpg_1', attempts: 3, maxWaitMs: 2_000 })
})
afterAll(() => server.close())
beforeEach(() => {
  server.received.length = 0
})

/** Answers one request after the other so. */
const behave = (...behaviours: Behaviour[]): void => {
  server.behave((received, response) => behaviours.shift()?.(received, response))
}

describe('a request for a payment', () => {
  const ask = (): Promise<unknown> => gateway.requestPayment(REQUEST, { idempotencyKey: 'order-17' })

  it('carries the key of the partner and that of the payment', async () => {
    behave(accept)
    expect(await ask()).toEqual(ACCEPTED)
    expect(server.received).toMatchObject([
      {
        method: 'POST',
        path: '/api/v1/mpesa/stk_push',
        headers: {
          'x-api-key': 'mpg_1',
          'x-idempotency-key': 'order-17',
          'content-type': 'application/json',
        },
        body: JSON.stringify(REQUEST),
      },
    ])
  })

  it.each([
    ['a cut connection', cut],
    ['500', refuse(500, 'internal error')],
    ['503', refuse(503, 'the gateway cannot answer', { 'retry-after': '0' })],
    ['429', refuse(429, 'too many requests', { 'retry-after': '0' })],
    ...[502, 503, 504].map((status): [string, Behaviour] => [
      `what a proxy says, ${status}`,
      answerWith(status, '<html>'),
    ]),
  ])('is made again after %s, with the same key and the same body', async (_name, failure) => {
    behave(failure, accept)
    expect(await ask()).toEqual(ACCEPTED)
    const asked = server.received.map(({ headers, body }) => [headers['x-idempotency-key'], body])
    expect(asked).toEqual([
      ['order-17', JSON.stringify(REQUEST)],
      ['order-17', JSON.stringify(REQUEST)],
    ])
  })

  it.each([400, 401, 403, 413, 415, 422])('is not made again after %i', async (status) => {
    behave(refuse(status, 'callback_url is required'))
    await expect(ask()).rejects.toMatchObject({
      name: 'GatewayError',
      status,
      message: 'callback_url is required',
      requestId: 'r-1',
    })
    expect(server.received).toHaveLength(1)
  })

  it('is given up after the last attempt, and where it would wait too long', async () => {
    behave(...Array.from({ length: 3 }, () => refuse(503, 'too much waits', { 'retry-after': '0' })))
    await expect(ask()).rejects.toMatchObject({ status: 503, retryAfterSeconds: 0 })
    expect(server.received).toHaveLength(3)
    behave(refuse(429, 'the daily limit is reached', { 'retry-after': '3600' }))
    await expect(ask()).rejects.toMatchObject({ status: 429, retryAfterSeconds: 3600 })
    expect(server.received).toHaveLength(4)
  })

  it.each(['', '-5', 'Wed, 21 Oct 2015 07:28:00 GMT', '0x10'])(
    'is told to wait no certain time where Retry-After says no seconds: %j',
    async (given) => {
      const once = createPartnerClient({ baseUrl: server.url, apiKey: 'mpg_1', attempts: 1 })
      behave(refuse(503, 'too much waits', { 'retry-after': given }))
      const refused = once.requestPayment(REQUEST, { idempotencyKey: 'order-17' })
      await expect(refused).rejects.toMatchObject({ status: 503, retryAfterSeconds: null })
    },
  )

  it.each([undefined, null, ''])(
    'is not made without a key, without which to make it again would prompt again: %j',
    async (idempotencyKey) => {
      const given = { idempotencyKey: idempotencyKey as string }
      await expect(gateway.requestPayment(REQUEST, given)).rejects.toThrow(TypeError)
      expect(server.received).toEqual([])
    },
  )

  it.each([
    ['a key that no header can hold', () => gateway.requestPayment(REQUEST, { idempotencyKey: 'agizo-ũ' })],
    [
      'an address that is none',
      () => createPartnerClient({ baseUrl: 'payments', apiKey: 'mpg_1' }).getTransaction(1),
    ],
  ])('fails at once for %s, and is not said to have had no answer', async (_name, call) => {
    await expect(call()).rejects.toThrow(TypeError)
    expect(server.received).toEqual([])
  })

  it('says that nothing is known when no answer came', async () => {
    behave(cut, cut, cut)
    await expect(ask()).rejects.toMatchObject({
      status: null,
      message: expect.stringContaining('the same idempotency key'),
      cause: expect.any(Error),
    })
  })

  it('ends when its caller wants no more', async () => {
    const caller = new AbortController()
    behave(() => caller.abort(new Error('the buyer left')))
    const { signal } = caller
    await expect(gateway.requestPayment(REQUEST, { idempotencyKey: 'k', signal })).rejects.toThrow(
      'the buyer left',
    )
    expect(server.received).toHaveLength(1)
  })
})

describe('reads', () => {
  it('take every page, with the filters of the first', async () => {
    const page = (ids: number[], next: number | null): Behaviour =>
      answerWith(
        200,
        JSON.stringify({ transactions: ids.map((id) => ({ transaction_id: id })), next_before: next }),
      )
    behave(page([9, 8], 8), page([3], null))
    const ids: number[] = []
    for await (const { transaction_id: id } of gateway.allTransactions({ reference: 'INV 1', limit: 2 }))
      ids.push(id)
    expect(ids).toEqual([9, 8, 3])
    expect(server.received.map(({ path }) => path)).toEqual([
      '/api/v1/mpesa/transactions?reference=INV+1&limit=2',
      '/api/v1/mpesa/transactions?reference=INV+1&limit=2&before=8',
    ])
  })

  it.each([
    ['getTransaction', 'GET', '/api/v1/mpesa/transactions/102'],
    ['cancelTransaction', 'POST', '/api/v1/mpesa/transactions/102/cancel'],
    ['listDeliveries', 'GET', '/api/v1/mpesa/transactions/102/deliveries'],
    ['resendOutcome', 'POST', '/api/v1/mpesa/transactions/102/resend'],
  ] as const)('%s is %s %s', async (name, method, path) => {
    behave(answerWith(200, '{}'))
    await gateway[name](102)
    expect(server.received).toMatchObject([{ method, path, body: '' }])
  })
})
