import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { eventually, openSimulator, pushBody, type SimulatorOptions } from './harness.ts'

const REGISTER = '/pulltransactions/v1/register'
const QUERY = '/pulltransactions/v1/query'

const row = z.looseObject({ transactionId: z.string(), amount: z.string(), billreference: z.string() })
const page = z.looseObject({
  ResponseCode: z.string(),
  Response: z.union([z.tuple([z.array(row)]), z.array(row)]),
})

const A_DAY = { ShortCode: '174379', StartDate: '2026-05-04 12:00:00', EndDate: '2026-05-05 12:00:00' }
const NOW = '2026-05-04T18:04:28Z'

/** A simulator at a fixed time, with its shortcode registered, where `payments` were paid one after the other. */
const openPaid = async (payments: Record<string, unknown>[], options: Partial<SimulatorOptions> = {}) => {
  const time = { now: new Date(NOW) }
  const simulator = await openSimulator({ callbackDelayMs: 0, clock: () => time.now, ...options })
  await simulator.postRaw(REGISTER, { ShortCode: '174379', RequestType: 'Pull' })
  for (const [index, change] of payments.entries()) {
    await simulator.push(pushBody(change))
    await eventually(async () =>
      expect((await simulator.ledger()).entries[index]?.transactions).toHaveLength(1),
    )
  }
  const pull = async (change: Record<string, unknown> = {}) => {
    const answer = await simulator.postRaw(
      QUERY,
      { ...A_DAY, OffSetValue: '0', ...change },
      await simulator.fetchToken(),
    )
    expect(answer.status).toBe(200)
    const { ResponseCode, Response } = page.parse(JSON.parse(answer.text))
    return { code: ResponseCode, rows: Response.flat(), answer: JSON.parse(answer.text) }
  }
  return { simulator, time, pull }
}

test('registers a shortcode once', async () => {
  const { postRaw } = await openSimulator({ callbackDelayMs: 0 })
  const body = {
    ShortCode: '600000',
    RequestType: 'Pull',
    NominatedNumber: '254722000000',
    CallBackURL: 'https://pay.example.com/pull',
  }
  const answered = z.looseObject({ ResponseDescription: z.string() })
  const register = async () =>
    answered.parse(JSON.parse((await postRaw(REGISTER, body)).text)).ResponseDescription
  expect(await register()).toBe('ShortCode Registered Successfully')
  expect(await register()).toBe('ShortCode already Registered')
})

test.each([
  [
    'pull-registered-as-400',
    400,
    { ResponseStatus: '1001', ResponseDescription: 'ShortCode already Registered' },
  ],
  ['pull-registered-as-error', 500, { errorMessage: 'ShortCode already Registered' }],
])('%s: a second registration is answered otherwise, a first as ever', async (name, status, body) => {
  const { postRaw, fetchToken } = await openSimulator({ callbackDelayMs: 0 })
  const token = await fetchToken(name)
  const register = () => postRaw(REGISTER, { ShortCode: '600000', RequestType: 'Pull' }, token)
  expect((await register()).status).toBe(200)
  const second = await register()
  expect(second.status).toBe(status)
  expect(JSON.parse(second.text)).toMatchObject(body)
})

test('lists a payment in full', async () => {
  const { simulator, pull } = await openPaid([{ AccountReference: 'INV1', Amount: 150 }])
  const { entries } = await simulator.ledger()
  const { answer } = await pull()
  expect(answer).toEqual({
    ResponseRefID: expect.any(String),
    ResponseCode: '1000',
    ResponseMessage: 'Success',
    Response: [
      [
        {
          transactionId: expect.stringMatching(/^UE4[0-9A-Z]{7}$/),
          trxDate: NOW,
          msisdn: 254_712_345_678,
          billreference: 'INV1',
          amount: '150.00',
        },
      ],
    ],
  })
  expect(entries).toMatchObject([{ transactions: [{ receipt: answer.Response[0][0].transactionId }] }])
})

test('lists the receipt that the callback has', async () => {
  const { simulator, pull } = await openPaid([{}])
  const { rows } = await pull()
  await eventually(async () => expect((await simulator.ledger()).entries[0]?.callbacks).toHaveLength(1))
  const [entry] = (await simulator.ledger()).entries
  expect(entry?.callbacks[0]?.['body']).toContain(`"Value":"${rows[0]?.transactionId}"`)
})

test('lists what was paid in the window, in East Africa Time, both ends included', async () => {
  const { pull } = await openPaid([{}])
  const codeOf = async (StartDate: string, EndDate: string) => (await pull({ StartDate, EndDate })).code
  expect(await codeOf('2026-05-04 21:04:28', '2026-05-04 21:04:28')).toBe('1000')
  expect(await codeOf('2026-05-04 21:04:29', '2026-05-04 22:00:00')).toBe('1001')
  expect(await codeOf('2026-05-04 18:00:00', '2026-05-04 21:04:27')).toBe('1001')
})

test('lists only what this shortcode was paid, and nothing of failures', async () => {
  const { simulator, pull } = await openPaid([{}])
  await simulator.push(pushBody({ PhoneNumber: 254_700_000_002 }))
  await eventually(async () => expect((await simulator.ledger()).entries[1]?.callbacks).toHaveLength(1))
  expect((await pull()).rows).toHaveLength(1)
  await simulator.postRaw(REGISTER, { ShortCode: '600000' })
  expect((await pull({ ShortCode: '600000' })).code).toBe('1001')
})

test('lists nothing that is older than 48 hours', async () => {
  const { pull, time } = await openPaid([{}])
  time.now = new Date('2026-05-06T18:04:28Z')
  expect((await pull()).code).toBe('1000')
  time.now = new Date('2026-05-06T18:04:29Z')
  expect((await pull()).code).toBe('1001')
})

describe('more than a page', () => {
  const openMany = async (options: Partial<SimulatorOptions> = {}) => {
    const opened = await openPaid([], options)
    await Promise.all(
      Array.from({ length: 101 }, (_, index) =>
        opened.simulator.push(
          pushBody({ AccountReference: `INV${index}`, CallBackURL: 'http://127.0.0.1:1/1' }),
        ),
      ),
    )
    await eventually(async () => {
      const { entries } = await opened.simulator.ledger()
      expect(entries.filter(({ transactions }) => transactions.length === 1)).toHaveLength(101)
    })
    return opened
  }

  test('is listed a hundred at a time, by the offset', async () => {
    const { pull } = await openMany()
    const [first, second, third] = [
      await pull(),
      await pull({ OffSetValue: 100 }),
      await pull({ OffSetValue: 101 }),
    ]
    expect([first.rows.length, second.rows.length]).toEqual([100, 1])
    const receipts = [...first.rows, ...second.rows].map(({ transactionId }) => transactionId)
    expect(new Set(receipts).size).toBe(101)
    expect(third).toMatchObject({ code: '1001', rows: [] })
  })

  test('never ends where the offset stands still', async () => {
    const { pull } = await openMany({ consumerKey: 'pull-offset-stands-still' })
    const first = await pull()
    expect((await pull({ OffSetValue: 100 })).rows).toEqual(first.rows)
    expect((await pull({ OffSetValue: 100_000 })).rows).toEqual(first.rows)
  })
})

test('rows come flat where that is chosen', async () => {
  const { pull } = await openPaid([{}], { consumerKey: 'pull-flat-rows' })
  expect((await pull()).answer.Response).toMatchObject([{ billreference: 'INV2025001' }])
})

test.each([
  ['StartDate', '2026-05-04T12:00:00'],
  ['EndDate', '2026-02-31 12:00:00'],
  ['OffSetValue', -1],
  ['OffSetValue', undefined],
  ['ShortCode', ''],
])('refuses a query with a wrong %s: %s', async (field, value) => {
  const { post } = await openSimulator({ callbackDelayMs: 0 })
  const answer = await post(QUERY, { ...A_DAY, OffSetValue: 0, [field]: value })
  expect(answer).toMatchObject({
    status: 400,
    body: { errorCode: '400.002.02', errorMessage: `Bad Request - Invalid ${field}` },
  })
})

test('refuses a shortcode that is not registered, and a call without a token', async () => {
  const { post } = await openSimulator({ callbackDelayMs: 0 })
  expect(await post(QUERY, { ...A_DAY, OffSetValue: 0 })).toMatchObject({
    status: 500,
    body: { errorCode: '500.001.1001', errorMessage: 'Merchant does not exist' },
  })
  expect(await post(QUERY, {}, 'Bearer unknown')).toMatchObject({ body: { errorCode: '404.001.03' } })
})
