import { expect, test } from 'vitest'
import { eventually, openReceiver, openSimulator, pushBody, signature } from './harness.ts'

const A_MINUTE_MS = 60_000
const PATH = '/mpesa/stkpushquery/v1/query'

test('an open payment is 4999, in strings only', async () => {
  const simulator = await openSimulator({ callbackDelayMs: A_MINUTE_MS })
  const { body: push } = await simulator.push(pushBody())
  const answer = await simulator.query(push['CheckoutRequestID'])
  expect(answer.status).toBe(200)
  expect(Object.entries(answer.body)).toEqual([
    ['ResponseCode', '0'],
    ['ResponseDescription', 'The service request has been accepted successsfully'],
    ['MerchantRequestID', push['MerchantRequestID']],
    ['CheckoutRequestID', push['CheckoutRequestID']],
    ['ResultCode', '4999'],
    ['ResultDesc', 'The transaction is still under processing'],
  ])
})

test('once the callback came, the query says the same', async () => {
  const simulator = await openSimulator({ callbackDelayMs: 5 })
  const receiver = await openReceiver()
  const body = pushBody({ PhoneNumber: 254_700_000_002, CallBackURL: `${receiver.url}/callbacks/stk/1` })
  const { body: push } = await simulator.push(body)
  await eventually(() => expect(receiver.received).toHaveLength(1))
  const answer = await simulator.query(push['CheckoutRequestID'])
  expect(answer).toMatchObject({
    status: 200,
    body: { ResultCode: '1032', ResultDesc: 'Request cancelled by user' },
  })
})

const unknown = {
  status: 500,
  body: {
    requestId: expect.any(String),
    errorCode: '500.001.1001',
    errorMessage: 'The transaction does not Exist',
  },
}

test('an unknown id does not exist', async () => {
  const simulator = await openSimulator({ callbackDelayMs: A_MINUTE_MS })
  expect(await simulator.query('ws_CO_04052026210410237712345678')).toEqual(unknown)
})

test("another shortcode's payment does not exist", async () => {
  const simulator = await openSimulator({ callbackDelayMs: A_MINUTE_MS })
  const { body: push } = await simulator.push(pushBody())
  const { Timestamp } = signature()
  const answer = await simulator.post(PATH, {
    BusinessShortCode: 600_000,
    Password: Buffer.from(`600000passkey${Timestamp}`).toString('base64'),
    Timestamp,
    CheckoutRequestID: push['CheckoutRequestID'],
  })
  expect(answer).toEqual(unknown)
})

test('what is malformed or not allowed is refused', async () => {
  const simulator = await openSimulator({ callbackDelayMs: A_MINUTE_MS })
  const wrongPassword = Buffer.from('600000passkey20260504210410').toString('base64')
  const body = { ...signature(), CheckoutRequestID: 'ws_CO_1' }
  expect(await simulator.query(undefined)).toMatchObject({
    status: 400,
    body: { errorCode: '400.002.02', errorMessage: 'Bad Request - Invalid CheckoutRequestID' },
  })
  expect(await simulator.post(PATH, { ...body, Password: wrongPassword })).toMatchObject({
    status: 500,
    body: { errorCode: '500.001.1001', errorMessage: 'Wrong credentials' },
  })
  expect(await simulator.post(PATH, 'no JSON')).toMatchObject({
    status: 400,
    body: { errorCode: '400.002.05' },
  })
  expect(await simulator.post(PATH, body, 'Bearer unknown')).toMatchObject({
    status: 404,
    body: { errorCode: '404.001.03' },
  })
})
