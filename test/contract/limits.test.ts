import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createKey } from '../../src/core/partners/api-key.ts'
import { setPartnerSettings } from '../../src/core/partners/change-partner.ts'
import { makeSecret } from '../../src/core/partners/secret.ts'
import { createWrongSecrets } from '../../src/runtime/count-wrong-secrets.ts'
import { parseAddressList } from '../../src/values/address-list.ts'
import { type Answer, ask, openFacade, paymentBody, STK_PUSH, type TestFacade } from '../facade/harness.ts'
import { addPartner } from '../support/partner.ts'

const actor = { kind: 'operator', name: 'amina', from: 'test' } as const

let test: TestFacade
beforeAll(async () => {
  const proxies = parseAddressList('127.0.0.1')
  if (!proxies.ok) throw new Error(proxies.problem)
  const wrongSecrets = createWrongSecrets({ perMinute: 4, nowMs: () => performance.now() })
  const config = { payerLimits: { openPrompts: 1, promptsPerHour: 3 } }
  test = await openFacade({ config, wrongSecrets }, { trustedProxies: proxies.value })
})
afterAll(() => test.stop())

const pushWith =
  (apiKey: string) =>
  (body: Record<string, unknown> = {}, headers: readonly string[] = []) =>
    ask(
      test,
      `POST ${STK_PUSH}`,
      [`X-API-KEY: ${apiKey}`, 'Content-Type: application/json', ...headers],
      paymentBody(body),
    )

const withNewKey = async (partnerId: bigint) => {
  const asked = { partnerId, name: 'another', lifeMs: null, isTest: false, actor, randomBytes }
  const made = await createKey({ database: test.database, ...asked })
  if (made.kind !== 'made') throw new Error(made.kind)
  return pushWith(made.apiKey)
}

const newPartner = async () => {
  const { partnerId, apiKey } = await addPartner(test.database, { name: 'Duka' })
  const push = pushWith(apiKey)
  const set = (settings: Parameters<typeof setPartnerSettings>[0]['settings']) =>
    setPartnerSettings({ database: test.database, partnerId, actor, settings })
  return { partnerId, apiKey, push, set }
}

const messageOf = ({ body }: Answer): string => (JSON.parse(body) as { message: string }).message

/** Refused for now, with the seconds to wait in the message and in the header. */
const expectTooMuch = (answer: Answer, message: RegExp) => {
  expect([answer.status, messageOf(answer)]).toEqual([429, expect.stringMatching(message)])
  const seconds = /in (\d+) s/.exec(messageOf(answer))?.[1]
  expect(answer.headers['retry-after']).toBe(seconds)
  expect(Number(seconds)).toBeGreaterThan(0)
}

describe('too many wrong keys', () => {
  const guess = (address: string, apiKey: string) =>
    ask(test, 'GET /api/v1/mpesa/transactions', [`X-API-KEY: ${apiKey}`, `X-Forwarded-For: ${address}`])

  it('from one address are refused for the rest of the minute; others, and good keys, are let in', async () => {
    const { apiKey } = await newPartner()
    expect((await guess('192.0.2.1', apiKey)).status).toBe(200)
    for (const wrong of ['guess', makeSecret('mpg_', randomBytes), 'guess', 'mpg_']) {
      expect((await guess('192.0.2.1', wrong)).status).toBe(401)
    }
    const message = /^too many wrong API keys came from your address: try again in \d+ s$/
    expectTooMuch(await guess('192.0.2.1', 'guess'), message)
    expectTooMuch(await guess('192.0.2.1', makeSecret('mpg_', randomBytes)), message)
    expect((await guess('192.0.2.2', 'guess')).status).toBe(401)
    expect((await guess('192.0.2.1', apiKey)).status).toBe(200)
  })

  it('are counted by the address that a proxy trusts for, whatever the caller says of itself', async () => {
    for (let count = 0; count < 4; count += 1) {
      const forged = [
        'X-API-KEY: guess',
        `X-Client-Address: 198.51.100.${count}`,
        'X-Forwarded-For: 192.0.2.9',
      ]
      expect((await ask(test, 'GET /api/v1/mpesa/transactions', forged)).status).toBe(401)
    }
    expect((await guess('192.0.2.9', 'guess')).status).toBe(429)
  })
})

describe('a payer', () => {
  it('is not asked twice at once by one partner, and a duplicate is still a duplicate', async () => {
    const [one, other] = [await newPartner(), await newPartner()]
    const first = await one.push({}, ['X-Idempotency-Key: one'])
    expect(first.status).toBe(200)
    expectTooMuch(
      await one.push({}, ['X-Idempotency-Key: two']),
      /^a payment of yours is still open for this payer: ask again in \d+ s$/,
    )
    expect(JSON.parse((await one.push({}, ['X-Idempotency-Key: one'])).body)).toMatchObject({
      status: 'duplicate',
    })
    expect((await one.push({ phone: '254700000023' })).status).toBe(200)
    expect((await other.push()).status).toBe(200)
  })
})

describe('a partner', () => {
  it('may ask as often in a second as was set', async () => {
    const { push, set } = await newPartner()
    await set({ requestsPerSecond: 1 })
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_one, index) => push({ phone: `25470000004${index}` })),
    )
    const refused = answers.find(({ status }) => status === 429)
    if (!refused) throw new Error('none was refused')
    expectTooMuch(
      refused,
      /^you may ask once a second: ask again in \d+ s, with the same idempotency key if the request had one$/,
    )
  })

  it('may ask for as much a payment and a day as was set, and for its own hosts only', async () => {
    const { push, set } = await newPartner()
    await set({ maxPaymentKes: 100, maxDailyKes: 150, callbackHosts: ['yourapp.example.com'] })
    const tooLarge = await push({ amount: 101 })
    expect([tooLarge.status, messageOf(tooLarge)]).toEqual([
      400,
      "amount must be at most 100 KES, which is this partner's limit",
    ])
    const elsewhere = await push({ callback_url: 'https://evil.example.com/callback' })
    expect([elsewhere.status, messageOf(elsewhere)]).toEqual([
      400,
      "callback_url must lead to a host of this partner's: yourapp.example.com",
    ])
    expect((await push({ amount: 100, phone: '254700000051' })).status).toBe(200)
    expectTooMuch(
      await push({ amount: 51, phone: '254700000052' }),
      /^more than 150 KES a day is above your limit: ask again in \d+ s$/,
    )
    expect((await push({ amount: 50, phone: '254700000053' })).status).toBe(200)
  })

  it('that repeats what was accepted before its bounds were set is told that it was', async () => {
    const { partnerId, push: pushBefore, set } = await newPartner()
    const body = { amount: 500, phone: '254700000061', callback_url: 'https://shop.example.com/cb' }
    const key = ['X-Idempotency-Key: before the bounds']
    const first = JSON.parse((await pushBefore(body, key)).body) as { transaction_id: number }
    await set({ maxPaymentKes: 100, callbackHosts: ['yourapp.example.com'] })
    // What is known of a partner is remembered for seconds by each of its keys.
    const push = await withNewKey(partnerId)
    expect((await push(body, ['X-Idempotency-Key: after them'])).status).toBe(400)
    const again = await push(body, key)
    expect([again.status, JSON.parse(again.body)]).toEqual([
      200,
      expect.objectContaining({ status: 'duplicate', transaction_id: first.transaction_id }),
    ])
    // Another body under the key asks for nothing that was accepted.
    expect((await push({ ...body, amount: 501 }, key)).status).toBe(400)
    expect((await push({ ...body, phone: '0700000061' }, key)).status).toBe(400)
  })
})
