import { expect, test } from 'vitest'
import { eventually, openReceiver, openSimulator } from './harness.ts'
import { darajaJs, mdsDarajaSdk, mpesaApi, mpesaNode } from './independent-clients.ts'

test.each([
  ['mpesa-node', mpesaNode],
  ['daraja.js', darajaJs],
  ['mds-daraja-sdk', mdsDarajaSdk],
  ['mpesa-api', mpesaApi],
])('a client that others wrote completes a payment: %s', async (_name, connect) => {
  const simulator = await openSimulator({ callbackDelayMs: 5 })
  const receiver = await openReceiver()
  const client = connect(simulator.url)
  const payment = { phone: '254712345678', amountKes: 150, callbackUrl: `${receiver.url}/callbacks/stk/1` }
  const id = await client.push(payment)
  await eventually(() => expect(receiver.received).toHaveLength(1))
  expect(JSON.parse(receiver.received[0]?.body ?? '').Body.stkCallback).toMatchObject({
    CheckoutRequestID: id,
    ResultCode: 0,
  })
  expect(await client.query(id)).toBe('0')

  const openId = await client.push({ ...payment, phone: '254700000120' })
  expect(await client.query(openId)).toBe('4999')
  expect((await simulator.ledger()).entries).toMatchObject([
    { phone: payment.phone, amount: 150, checkout_request_id: id, outcome: 'paid' },
    { checkout_request_id: openId, outcome: 'never-ends' },
  ])
})

test('a client of the four that is refused says so', async () => {
  const simulator = await openSimulator({ callbackDelayMs: 200 })
  const client = mpesaNode(simulator.url)
  const payment = { phone: '254700000011', amountKes: 150, callbackUrl: 'http://127.0.0.1:9/callbacks/stk/1' }
  await expect(client.push(payment)).rejects.toMatchObject({
    response: { status: 400, data: { errorCode: '400.002.02' } },
  })
  expect((await simulator.ledger()).prompts).toBe(0)
})
