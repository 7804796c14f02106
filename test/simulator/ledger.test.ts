import { request } from 'undici'
import { expect, test } from 'vitest'
import { createLedger, type Entry } from '../../src/simulator/ledger.ts'
import { eventually, openReceiver, openSimulator, pushBody } from './harness.ts'

const A_MINUTE_MS = 60_000
const urlOf = (token: string): string => `http://127.0.0.1:9/callbacks/stk/${token}`

test('shows a prompt and its callback in full', async () => {
  const simulator = await openSimulator({ callbackDelayMs: 5 })
  const receiver = await openReceiver()
  const callbackUrl = `${receiver.url}/callbacks/stk/a`
  const { body: push } = await simulator.push(pushBody({ CallBackURL: callbackUrl }))
  await eventually(async () => {
    expect((await simulator.ledger()).entries[0]?.callbacks[0]?.status).toBe(200)
  })
  const iso = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
  expect(await simulator.ledger()).toEqual({
    pushes: 1,
    refused: 0,
    prompts: 1,
    forgotten: 0,
    queries: 0,
    callbacks_posted: 1,
    callbacks_failed: 0,
    misbehaviours: {},
    prompts_by_callback_url: { [callbackUrl]: 1 },
    entries: [
      {
        checkout_request_id: push['CheckoutRequestID'],
        merchant_request_id: push['MerchantRequestID'],
        shortcode: '174379',
        phone: '254712345678',
        amount: 150,
        account_reference: 'INV2025001',
        callback_url: callbackUrl,
        outcome: 'paid',
        warnings: [],
        at: iso,
        queries: 0,
        transactions: [{ receipt: expect.stringMatching(/^[0-9A-Z]{10}$/), amount: 150, at: iso }],
        callbacks: [
          {
            posted_at: iso,
            result_code: 0,
            status: 200,
            error: null,
            answered_at: iso,
            body: receiver.received[0]?.body,
          },
        ],
      },
    ],
  })
})

test('counts the prompts of each callback URL, and finds by URL and by phone', async () => {
  const simulator = await openSimulator({ callbackDelayMs: A_MINUTE_MS })
  for (const token of ['a', 'b', 'a']) await simulator.push(pushBody({ CallBackURL: urlOf(token) }))
  await simulator.push(pushBody({ CallBackURL: urlOf('a'), PhoneNumber: 254_700_000_003 }))
  expect((await simulator.ledger()).prompts_by_callback_url).toEqual({ [urlOf('a')]: 3, [urlOf('b')]: 1 })

  const ofB = await simulator.ledger(`?callback_url=${encodeURIComponent(urlOf('b'))}`)
  expect(ofB.prompts_by_callback_url).toEqual({ [urlOf('b')]: 1 })
  expect(ofB.entries).toHaveLength(1)
  expect(ofB.prompts).toBe(4)

  const ofPhone = await simulator.ledger('?phone=254700000003')
  expect(ofPhone.entries).toMatchObject([{ phone: '254700000003', outcome: 'timeout' }])

  const ofBoth = await simulator.ledger(`?phone=254700000003&callback_url=${encodeURIComponent(urlOf('b'))}`)
  expect(ofBoth.entries).toEqual([])
})

test('DELETE forgets prompts and totals', async () => {
  const simulator = await openSimulator({ callbackDelayMs: A_MINUTE_MS })
  const { body: push } = await simulator.push(pushBody())
  await simulator.push(pushBody({ PhoneNumber: 254_700_000_305 }))
  expect((await simulator.ledger()).misbehaviours).toEqual({ 'masked-phone': 1 })
  const answer = await request(`${simulator.url}/_ledger`, { method: 'DELETE' })
  expect(answer.statusCode).toBe(204)
  await answer.body.dump()
  expect(await simulator.ledger()).toEqual({
    pushes: 0,
    refused: 0,
    prompts: 0,
    forgotten: 0,
    queries: 0,
    callbacks_posted: 0,
    callbacks_failed: 0,
    misbehaviours: {},
    prompts_by_callback_url: {},
    entries: [],
  })
  expect(await simulator.query(push['CheckoutRequestID'])).toMatchObject({ status: 500 })
})

test('a full ledger forgets the oldest prompt and still counts it', () => {
  const ledger = createLedger({ maxPrompts: 2 })
  const add = (id: string) => {
    const entry = { checkout_request_id: id } as Entry
    ledger.add({ entry, behaviour: {}, chosen: [], subject: '', result: null })
  }
  const held = () => ledger.prompts().map(({ entry }) => entry.checkout_request_id)
  for (const id of ['ws_CO_1', 'ws_CO_2']) add(id)
  // That the query asks for a prompt does not keep it.
  expect(ledger.find('ws_CO_1')).toBeDefined()
  add('ws_CO_3')
  expect(ledger.find('ws_CO_1')).toBeUndefined()
  expect(held()).toEqual(['ws_CO_2', 'ws_CO_3'])
  expect(ledger.totals).toMatchObject({ prompts: 3, forgotten: 1 })
  ledger.clear()
  expect(ledger.totals).toMatchObject({ prompts: 0, forgotten: 0 })
  for (let number = 4; number < 50_000; number += 1) add(`ws_CO_${number}`)
  expect(held()).toEqual(['ws_CO_49998', 'ws_CO_49999'])
  expect(ledger.totals).toMatchObject({ prompts: 49_996, forgotten: 49_994 })
})
