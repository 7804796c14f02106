import { request } from 'undici'
import { expect, test } from 'vitest'
import { openSimulator, pushBody } from './harness.ts'

const A_MINUTE_MS = 60_000

test('a push is accepted in the form of 2026', async () => {
  const simulator = await openSimulator({ callbackDelayMs: A_MINUTE_MS })
  const answer = await simulator.push(pushBody())
  expect(answer.status).toBe(200)
  expect(Object.entries(answer.body)).toEqual([
    ['MerchantRequestID', expect.stringMatching(/^[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{16,20}$/)],
    ['CheckoutRequestID', expect.stringMatching(/^ws_CO_\d{14}\d{1,3}712345678$/)],
    ['ResponseCode', '0'],
    ['ResponseDescription', 'Success. Request accepted for processing'],
    ['CustomerMessage', 'Success. Request accepted for processing'],
  ])
})

test('nothing is idempotent: the same push twice prompts twice', async () => {
  const simulator = await openSimulator({ callbackDelayMs: A_MINUTE_MS })
  const body = pushBody()
  const [first, second] = [await simulator.push(body), await simulator.push(body)]
  expect(second.body['CheckoutRequestID']).not.toBe(first.body['CheckoutRequestID'])
  expect((await simulator.ledger()).prompts).toBe(2)
})

test('an unknown token is refused and prompts nobody', async () => {
  const simulator = await openSimulator({ callbackDelayMs: A_MINUTE_MS })
  const answer = await simulator.post('/mpesa/stkpush/v1/processrequest', pushBody(), 'Bearer unknown')
  expect(answer).toEqual({
    status: 404,
    body: {
      requestId: expect.any(String),
      errorCode: '404.001.03',
      errorMessage: 'Invalid Access Token',
    },
  })
  expect(await simulator.ledger()).toMatchObject({ pushes: 1, refused: 1, prompts: 0, entries: [] })
})

test('a body that Daraja refuses prompts nobody', async () => {
  const simulator = await openSimulator({ callbackDelayMs: A_MINUTE_MS })
  const answer = await simulator.push(pushBody({ TransactionDesc: undefined }))
  expect(answer).toMatchObject({
    status: 400,
    body: { errorCode: '400.002.02', errorMessage: 'Bad Request - Invalid Remarks' },
  })
  expect(await simulator.ledger()).toMatchObject({ pushes: 1, refused: 1, prompts: 0, entries: [] })
})

test('JSON is taken under any content type, and under none', async () => {
  const simulator = await openSimulator({ callbackDelayMs: A_MINUTE_MS })
  const { token } = simulator
  const types = [
    'application/json;charset=UTF-8',
    'application/json; charset=latin1',
    'text/plain',
    undefined,
  ]
  for (const type of types) {
    const answer = await request(`${simulator.url}/mpesa/stkpush/v1/processrequest`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, ...(type !== undefined && { 'content-type': type }) },
      body: JSON.stringify(pushBody()),
    })
    expect(answer.statusCode).toBe(200)
    await answer.body.dump()
  }
})
