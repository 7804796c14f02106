import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { CallbackSources } from '../../src/core/callback/strangers.ts'
import { type AddressList, parseAddressList } from '../../src/values/address-list.ts'
import {
  type Answer,
  ask,
  errorBody,
  openFacade,
  paymentBody,
  push,
  type TestFacade,
} from '../facade/harness.ts'
import { callbackTokenOf } from '../support/callback-url.ts'
import { eventually } from '../support/eventually.ts'

const listOf = (text: string): AddressList => {
  const parsed = parseAddressList(text)
  if (!parsed.ok) throw new Error(parsed.problem)
  return parsed.value
}

const DARAJA = '196.201.214.200'
const STRANGER = '203.0.113.9'
const STRANGERS_PER_MINUTE = 60
const PAID = '{"Body":{"stkCallback":{"ResultCode":0,"ResultDesc":"Paid"}}}'

/** A facade behind a proxy on this machine, which takes callbacks from Daraja's addresses. */
const openBehindProxy = (mode: CallbackSources['mode']): Promise<TestFacade> =>
  openFacade(
    {
      config: {
        callbacks: {
          sources: {
            mode,
            list: listOf(`${DARAJA},196.201.213.0/24`),
            strangers: { perMinute: STRANGERS_PER_MINUTE, bytesPerMinute: 1_000_000, maxBytes: 4096 },
          },
        },
      },
    },
    { trustedProxies: listOf('127.0.0.1') },
  )

const openPayment = async (test: TestFacade): Promise<{ id: bigint; token: string; tail: string }> => {
  const { transaction_id } = JSON.parse((await push(test, paymentBody())).body)
  const id = BigInt(transaction_id)
  return { id, ...(await callbackTokenOf(test, id)) }
}

const post = (test: TestFacade, token: string, forwardedFor: string): Promise<Answer> =>
  ask(test, `POST /callbacks/stk/${token}`, [`X-Forwarded-For: ${forwardedFor}`], PAID)

const stateOf = async (test: TestFacade, id: bigint) =>
  (await test.database.selectFrom('payments').select('state').where('id', '=', id).executeTakeFirstOrThrow())
    .state

const storedFor = (test: TestFacade, id: bigint) =>
  test.database
    .selectFrom('callbacks')
    .select(['is_refused', 'source_address', 'body'])
    .where('payment_id', '=', id)
    .execute()

const eventsOf = (test: TestFacade): { event: string; source_address?: string }[] =>
  test.logLines.map((line) => JSON.parse(line))

describe('CALLBACK_SOURCES_MODE=enforce', () => {
  let test: TestFacade
  beforeAll(async () => {
    test = await openBehindProxy('enforce')
  })
  afterAll(() => test.stop())

  it.each([DARAJA, '196.201.213.77', `::ffff:${DARAJA}`])('takes a callback from %s', async (source) => {
    const { id, tail } = await openPayment(test)
    expect((await post(test, tail, source)).status).toBe(200)
    await eventually(async () => expect(await stateOf(test, id)).toBe('successful'))
    expect(await storedFor(test, id)).toMatchObject([{ is_refused: false }])
  })

  it.each([
    ['a stranger', STRANGER, STRANGER],
    ['a stranger who writes Daraja’s address before its own', `${DARAJA}, ${STRANGER}`, STRANGER],
    ['who is not said to come from anywhere', '', '127.0.0.1'],
  ])('refuses %s: kept as it came, and not believed', async (_who, forwardedFor, source) => {
    const { id, tail } = await openPayment(test)
    const answer = await post(test, tail, forwardedFor)
    expect(answer).toMatchObject({
      status: 403,
      body: errorBody('callbacks are not taken from this address'),
    })
    expect(await storedFor(test, id)).toEqual([
      { is_refused: true, source_address: source, body: Buffer.from(PAID) },
    ])
    // A later callback of another payment is interpreted, and this one still is not.
    const other = await openPayment(test)
    await post(test, other.tail, DARAJA)
    await eventually(async () => expect(await stateOf(test, other.id)).toBe('successful'))
    expect(await stateOf(test, id)).toMatch(/^(?:accepted|submitting|submitted)$/)
    expect(eventsOf(test)).toContainEqual(
      expect.objectContaining({ event: 'callback_refused', source_address: source }),
    )
  })

  it('interprets a refused one once an operator says so', async () => {
    const { id, tail } = await openPayment(test)
    await post(test, tail, STRANGER)
    const [refused] = await test.database
      .selectFrom('callbacks')
      .select(['id as callback_id', 'received_at'])
      .where('payment_id', '=', id)
      .execute()
    await test.database
      .insertInto('to_interpret')
      .values(refused ?? [])
      .execute()
    await eventually(async () => expect(await stateOf(test, id)).toBe('successful'))
  })

  it('keeps only some of a flood without a token of ours', async () => {
    const answers = await Promise.all(Array.from({ length: 100 }, () => post(test, 'f'.repeat(48), STRANGER)))
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([403]))
    const kept = test.database.selectFrom('stranger_callbacks').select('is_refused')
    const rows = await kept.execute()
    expect(rows).toHaveLength(STRANGERS_PER_MINUTE)
    expect(rows.every((row) => row.is_refused)).toBe(true)
  })
})

describe.each(['log', 'off'] as const)('CALLBACK_SOURCES_MODE=%s', (mode) => {
  let test: TestFacade
  beforeAll(async () => {
    test = await openBehindProxy(mode)
  })
  afterAll(() => test.stop())

  const NOBODYS_TOKEN = 'f'.repeat(48)
  const countOf = async (table: 'callbacks' | 'stranger_callbacks', source: string): Promise<number> =>
    (await test.database.selectFrom(table).select('id').where('source_address', '=', source).execute()).length

  it('keeps only some of a flood without a token of ours, and acknowledges no others', async () => {
    const answers = await Promise.all(Array.from({ length: 100 }, () => post(test, NOBODYS_TOKEN, STRANGER)))
    const turnedAway = answers.filter(({ status }) => status === 429)
    expect(turnedAway).toHaveLength(100 - STRANGERS_PER_MINUTE)
    expect(turnedAway[0]).toMatchObject({
      headers: { 'retry-after': '60' },
      body: errorBody('too many callbacks whose token is none of ours'),
    })
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(STRANGERS_PER_MINUTE)
    expect(await countOf('stranger_callbacks', STRANGER)).toBe(STRANGERS_PER_MINUTE)
    expect(eventsOf(test).filter(({ event }) => event === 'strangers_turned_away')).toHaveLength(1)
  })

  it('keeps all that carry a token of ours, and all from Daraja’s addresses, through the flood', async () => {
    const { id, tail } = await openPayment(test)
    expect((await post(test, tail, STRANGER)).status).toBe(200)
    expect(await storedFor(test, id)).toHaveLength(1)
    const answers = await Promise.all(Array.from({ length: 100 }, () => post(test, NOBODYS_TOKEN, DARAJA)))
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
    expect(await countOf('callbacks', DARAJA)).toBe(100)
  })
})

describe('CALLBACK_SOURCES_MODE=log', () => {
  it('takes a callback from a stranger, and reports it', async () => {
    const test = await openBehindProxy('log')
    const { id, tail } = await openPayment(test)
    expect((await post(test, tail, STRANGER)).status).toBe(200)
    await eventually(async () => expect(await stateOf(test, id)).toBe('successful'))
    expect(eventsOf(test)).toContainEqual(
      expect.objectContaining({
        event: 'callback_from_unlisted_address',
        level: 'warn',
        source_address: STRANGER,
      }),
    )
    await test.stop()
  })
})

describe('CALLBACK_SOURCES_MODE=off', () => {
  it('takes a callback from anywhere, and stores where it came from', async () => {
    const test = await openBehindProxy('off')
    const { id, tail } = await openPayment(test)
    expect((await post(test, tail, STRANGER)).status).toBe(200)
    expect(await storedFor(test, id)).toMatchObject([{ is_refused: false, source_address: STRANGER }])
    expect(eventsOf(test).map(({ event }) => event)).not.toContain('callback_from_unlisted_address')
    await test.stop()
  })
})
