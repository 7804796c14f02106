import { describe, expect, test } from 'vitest'
import { OUTCOMES } from '../../src/simulator/outcomes.ts'
import { eventually, openReceiver, openSimulator, pushBody } from './harness.ts'

const A_MINUTE_MS = 60_000

/** A simulator and a receiver, and a push of one payment whose outcome has the given name. */
const openStage = async (options: { callbackDelayMs: number }) => {
  const simulator = await openSimulator(options)
  const receiver = await openReceiver()
  const push = (outcomeName: string, chooseBy: 'phone' | 'amount' = 'phone') => {
    const outcome = OUTCOMES.find(({ name }) => name === outcomeName)
    const phone = (chooseBy === 'phone' && outcome?.phones[0]) || '254712345678'
    return simulator.push(
      pushBody({
        PartyA: phone,
        PhoneNumber: phone,
        Amount: (chooseBy === 'amount' && outcome?.amountKes) || 150,
        CallBackURL: `${receiver.url}/callbacks/stk/${outcomeName}`,
      }),
    )
  }
  const resultCodes = () => receiver.received.map(({ body }) => JSON.parse(body).Body.stkCallback.ResultCode)
  return { simulator, receiver, push, resultCodes }
}

describe.each(['phone', 'amount'] as const)('chosen by %s', (chooseBy) => {
  test.each([
    ['insufficient-funds', 1, 'The balance is insufficient for the transaction.'],
    ['cancelled', 1032, 'Request cancelled by user'],
    ['timeout', 1037, 'No response from user.'],
    ['wrong-pin', 2001, 'The initiator information is invalid.'],
    ['slow', 0, 'The service request is processed successfully.'],
  ])('%s calls back once with %i', async (name, code, description) => {
    const { simulator, receiver, push } = await openStage({ callbackDelayMs: 5 })
    const answer = await push(name, chooseBy)
    expect(answer.body['ResponseCode']).toBe('0')
    await eventually(() => expect(receiver.received).toHaveLength(1))
    expect(JSON.parse(receiver.received[0]?.body ?? '').Body.stkCallback).toMatchObject({
      MerchantRequestID: answer.body['MerchantRequestID'],
      CheckoutRequestID: answer.body['CheckoutRequestID'],
      ResultCode: code,
      ResultDesc: description,
    })
    expect(await simulator.ledger()).toMatchObject({ prompts: 1, entries: [{ outcome: name }] })
  })

  test.each([
    ['refused', 400, '400.002.02', 'Bad Request - Invalid PhoneNumber'],
    [
      'subscriber-locked',
      500,
      '500.001.1001',
      'Unable to lock subscriber, a transaction is already in process for the current subscriber',
    ],
  ])('%s prompts nobody', async (name, status, errorCode, errorMessage) => {
    const { simulator, push } = await openStage({ callbackDelayMs: 0 })
    expect(await push(name, chooseBy)).toEqual({
      status,
      body: { requestId: expect.any(String), errorCode, errorMessage },
    })
    expect(await simulator.ledger()).toMatchObject({ pushes: 1, refused: 1, prompts: 0, entries: [] })
  })
})

test('slow calls back long after a payment that was prompted later', async () => {
  const { receiver, push } = await openStage({ callbackDelayMs: 50 })
  await push('slow')
  await push('paid')
  await eventually(() => expect(receiver.received).toHaveLength(2))
  expect(receiver.received.map(({ url }) => url)).toEqual(['/callbacks/stk/paid', '/callbacks/stk/slow'])
})

test.each([
  ['never-calls-back', '0', 'The service request is processed successfully.'],
  ['never-calls-back-timeout', '1037', 'DS timeout user cannot be reached.'],
])('%s: only the query answers', async (name, code, description) => {
  const { simulator, receiver, push } = await openStage({ callbackDelayMs: 5 })
  const { body } = await push(name)
  await eventually(async () => {
    const answer = await simulator.query(body['CheckoutRequestID'])
    expect(answer.body).toMatchObject({ ResultCode: code, ResultDesc: description })
  })
  expect(await simulator.ledger()).toMatchObject({ callbacks_posted: 0, entries: [{ callbacks: [] }] })
  expect(receiver.received).toEqual([])
})

test('calls-back-twice posts the same bytes twice', async () => {
  const { receiver, push } = await openStage({ callbackDelayMs: 5 })
  await push('calls-back-twice')
  await eventually(() => expect(receiver.received).toHaveLength(2))
  expect(receiver.received[1]?.body).toBe(receiver.received[0]?.body)
})

test('late-success fails first and is paid then, on both channels', async () => {
  const { simulator, push, resultCodes } = await openStage({ callbackDelayMs: 50 })
  const { body } = await push('late-success')
  await eventually(() => expect(resultCodes()).toEqual([1037]))
  await eventually(() => expect(resultCodes()).toEqual([1037, 0]))
  const answer = await simulator.query(body['CheckoutRequestID'])
  expect(answer.body).toMatchObject({ ResultCode: '0' })
})

test('callback-before-reply: the callback was answered before the push is', async () => {
  const { simulator, receiver, push } = await openStage({ callbackDelayMs: A_MINUTE_MS })
  const answer = await push('callback-before-reply')
  expect(answer).toMatchObject({ status: 200, body: { ResponseCode: '0' } })
  expect(receiver.received).toHaveLength(1)
  expect(receiver.received[0]?.body).toContain(answer.body['CheckoutRequestID'])
  expect(await simulator.ledger()).toMatchObject({ entries: [{ callbacks: [{ status: 200 }] }] })
})

test('slow-reply: the callback goes out while the push still waits for its answer', async () => {
  const { receiver, push } = await openStage({ callbackDelayMs: 50 })
  let answered = false
  const pushing = push('slow-reply').finally(() => {
    answered = true
  })
  await eventually(() => expect(receiver.received).toHaveLength(1))
  expect(answered).toBe(false)
  expect(await pushing).toMatchObject({ status: 200, body: { ResponseCode: '0' } })
})

test('error-after-prompt: HTTP 500, yet the payer was prompted and pays', async () => {
  const { simulator, push, resultCodes } = await openStage({ callbackDelayMs: 5 })
  expect(await push('error-after-prompt')).toEqual({
    status: 500,
    body: {
      requestId: expect.any(String),
      errorCode: '500.003.1001',
      errorMessage: 'Internal server error',
    },
  })
  await eventually(() => expect(resultCodes()).toEqual([0]))
  expect((await simulator.ledger()).prompts).toBe(1)
})

test('cut-after-prompt: no answer at all, yet the payer was prompted and pays', async () => {
  const { simulator, push, resultCodes } = await openStage({ callbackDelayMs: 5 })
  await expect(push('cut-after-prompt')).rejects.toMatchObject({ code: 'UND_ERR_SOCKET' })
  await eventually(() => expect(resultCodes()).toEqual([0]))
  expect((await simulator.ledger()).prompts).toBe(1)
})
