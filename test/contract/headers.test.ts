import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  ask,
  openFacade,
  PRODUCTION,
  paymentBody,
  request,
  requestWithBody,
  STK_PUSH,
  type TestFacade,
} from '../facade/harness.ts'
import { addPartner } from '../support/partner.ts'
import { expectRefusal } from './expect-refusal.ts'

let test: TestFacade
beforeAll(async () => {
  test = await openFacade({ config: { callbackUrlPolicy: PRODUCTION } })
})
afterAll(() => test.stop())

describe('X-API-KEY', () => {
  const MISSING = 'X-API-KEY is required: send your API key in this header'
  const UNKNOWN = 'the API key in X-API-KEY is unknown'
  const partnersOnly = [
    `POST ${STK_PUSH}`,
    'GET /api/v1/mpesa/transactions',
    'GET /api/v1/mpesa/transactions/1',
  ]

  it.each(partnersOnly)('%s without it is refused', async (line) => {
    await expectRefusal(test, request(line), 401, MISSING)
    await expectRefusal(test, request(line, ['X-API-KEY:']), 401, MISSING)
  })

  it('is asked for before the body is looked at', async () => {
    await expectRefusal(test, requestWithBody(`POST ${STK_PUSH}`, [], 'x'.repeat(17_000)), 401, MISSING)
  })

  it('unknown, invented, or sent twice is refused', async () => {
    const lists = [
      ['X-API-KEY: guess'],
      ['X-API-KEY: mpg_00000000000000000000000000000000000000000000000000'],
      ['X-API-KEY: cl\u00e9'],
      [`X-API-KEY: ${test.apiKey}`, `X-API-KEY: ${test.apiKey}`],
      [`X-API-KEY: ${test.apiKey.toLowerCase()}`],
    ]
    for (const headers of lists) {
      const bytes = requestWithBody(
        `POST ${STK_PUSH}`,
        ['Content-Type: application/json', ...headers],
        paymentBody(),
      )
      await expectRefusal(test, bytes, 401, UNKNOWN)
    }
  })

  it('revoked, or of a disabled partner, is refused with 403', async () => {
    const revoked = await addPartner(test.database, { name: 'Revoked' })
    const disabled = await addPartner(test.database, { name: 'Disabled' })
    const revoking = test.database.updateTable('api_keys').set({ revoked_at: new Date() })
    await revoking.where('partner_id', '=', revoked.partnerId).execute()
    const disabling = test.database.updateTable('partners').set({ disabled_at: new Date() })
    await disabling.where('id', '=', disabled.partnerId).execute()
    const ask = (apiKey: string) =>
      requestWithBody(
        `POST ${STK_PUSH}`,
        ['Content-Type: application/json', `X-API-KEY: ${apiKey}`],
        paymentBody(),
      )
    await expectRefusal(test, ask(revoked.apiKey), 403, 'the API key in X-API-KEY was revoked')
    await expectRefusal(test, ask(disabled.apiKey), 403, 'this partner is disabled')
  })
})

describe('X-Request-Id', () => {
  const idOf = async (headers: readonly string[]) =>
    (await ask(test, 'GET /healthz', headers)).headers['x-request-id']

  it('is the caller’s if it is sane', async () => {
    for (const id of ['a', 'x'.repeat(128), 'Ab.9_-']) expect(await idOf([`X-Request-Id: ${id}`])).toBe(id)
  })

  it.each([
    ['none', []],
    ['empty', ['X-Request-Id:']],
    ['too long', [`X-Request-Id: ${'x'.repeat(129)}`]],
    ['with a blank', ['X-Request-Id: a b']],
    ['with a bracket', ['X-Request-Id: <script>']],
    ['in two lines', ['X-Request-Id: a', 'X-Request-Id: b']],
  ])('%s gets a fresh one', async (_what, headers) => {
    const [one, other] = [await idOf(headers), await idOf(headers)]
    expect(one).toMatch(/^[0-9a-f]{24}-[0-9a-z]+$/)
    expect(other).toMatch(/^[0-9a-f]{24}-[0-9a-z]+$/)
    expect(other).not.toBe(one)
  })
})

it('answers never name the server', async () => {
  const { headers } = await ask(test, 'GET /healthz')
  expect(Object.keys(headers)).toEqual(
    expect.arrayContaining(['cache-control', 'content-type', 'x-content-type-options', 'x-request-id']),
  )
  for (const name of ['server', 'x-powered-by', 'via']) expect(headers).not.toHaveProperty(name)
})
