import { request } from 'undici'
import { describe, expect, test } from 'vitest'
import { createPlan, unknownNames } from '../../src/simulator/choose.ts'
import { eventually, openSimulator, openStage, pushBody } from './harness.ts'

const A_MINUTE_MS = 60_000

const SUBJECTS = Array.from({ length: 4000 }, (_, index) => `push 254712345678 150 ${index + 1}`)

const drawnIn = (seed: number, misbehaviours: Record<string, number>): string[] => {
  const plan = createPlan({ seed, misbehaviours: new Map(Object.entries(misbehaviours)) })
  return SUBJECTS.map((subject) => {
    const names = plan.drawn('push', subject).map(({ name }) => name)
    return names.join('+')
  })
}

test('one seed draws the same every time, another something else', () => {
  const misbehaviours = { 'push-cut': 0.2, 'calls-back-twice': 0.5 }
  expect(drawnIn(7, misbehaviours)).toEqual(drawnIn(7, misbehaviours))
  expect(drawnIn(8, misbehaviours)).not.toEqual(drawnIn(7, misbehaviours))
})

test('what is drawn under a name does not depend on the other names', () => {
  const alone = drawnIn(7, { 'push-cut': 0.2 })
  const beside = drawnIn(7, { 'push-cut': 0.2, 'calls-back-twice': 1 })
  expect(beside).toEqual(alone.map((name) => (name ? `calls-back-twice+${name}` : 'calls-back-twice')))
})

test('draws as often as the probability says', () => {
  const happened = drawnIn(7, { 'push-cut': 0.25 }).filter((names) => names === 'push-cut')
  // 4000 draws at a quarter: 27 is the standard deviation.
  expect(Math.abs(happened.length - 1000)).toBeLessThan(140)
  expect(drawnIn(7, { 'push-cut': 1 }).every((names) => names === 'push-cut')).toBe(true)
  expect(drawnIn(7, { 'push-cut': 0 }).every((names) => names === '')).toBe(true)
})

test('draws for a call only what that call can get wrong', () => {
  const plan = createPlan({
    seed: 7,
    misbehaviours: new Map([
      ['token-cut', 1],
      ['query-cut', 1],
    ]),
  })
  expect(plan.drawn('token', 'token key 1').map(({ name }) => name)).toEqual(['token-cut'])
  expect(plan.drawn('query', 'token key 1').map(({ name }) => name)).toEqual(['query-cut'])
  expect(plan.drawn('push', 'token key 1')).toEqual([])
})

test('goes on by another plan', () => {
  const plan = createPlan({ seed: 7, misbehaviours: new Map([['push-cut', 1]]) })
  plan.current = { seed: 8, misbehaviours: new Map() }
  expect(plan.drawn('push', 'a')).toEqual([])
  expect(plan.current.seed).toBe(8)
})

test('names that are no outcome are reported', () => {
  expect(unknownNames(['paid', 'push-cut', 'push-cutt', ''])).toEqual(['push-cutt', ''])
})

const open = async (misbehaviours: Record<string, number> = {}) => {
  const simulator = await openSimulator({
    callbackDelayMs: A_MINUTE_MS,
    plan: { seed: 7, misbehaviours: new Map(Object.entries(misbehaviours)) },
  })
  const call = async (method: 'GET' | 'PUT' | 'DELETE', body?: string) => {
    const answer = await request(`${simulator.url}/_plan`, { method, ...(body !== undefined && { body }) })
    return { status: answer.statusCode, body: await answer.body.json() }
  }
  return { simulator, call }
}

test('the plan is shown by the page and in the log', async () => {
  const { simulator, call } = await open({ 'push-cut': 0.5 })
  expect(await call('GET')).toEqual({ status: 200, body: { seed: 7, misbehaviours: { 'push-cut': 0.5 } } })
  const line = simulator.logLines.find((text) => text.includes('simulator listens')) ?? '{}'
  expect(JSON.parse(line)).toMatchObject({ seed: 7, misbehaviours: { 'push-cut': 0.5 } })
})

test('it is ended, and changed', async () => {
  const { simulator, call } = await open({ 'push-spike-arrest': 1 })
  expect((await simulator.push(pushBody())).body['errorCode']).toBe('500.003.02')
  expect(await call('DELETE')).toEqual({ status: 200, body: { seed: 7, misbehaviours: {} } })
  expect((await simulator.push(pushBody())).status).toBe(200)
  expect(await call('PUT', '{"seed":9,"misbehaviours":{"push-quota":1}}')).toMatchObject({ status: 200 })
  expect(await simulator.push(pushBody())).toMatchObject({ status: 429, body: { errorCode: '500.003.03' } })
  expect(await call('PUT', '{"misbehaviours":{}}')).toMatchObject({ body: { seed: 9 } })
  expect((await simulator.ledger()).misbehaviours).toEqual({ 'push-spike-arrest': 1, 'push-quota': 1 })
})

test.each([
  ['no JSON', 'push-cut=1', 'The body must be JSON like'],
  ['a probability above 1', '{"misbehaviours":{"push-cut":1.1}}', 'each probability from 0 to 1'],
  ['an unknown name', '{"misbehaviours":{"push-cutt":1}}', 'There is no outcome called push-cutt'],
])('a plan is refused with what would be right: %s', async (_name, body, message) => {
  const { call } = await open({ 'push-cut': 0.5 })
  expect(await call('PUT', body)).toEqual({ status: 400, body: { error: expect.stringContaining(message) } })
  expect(await call('GET')).toMatchObject({ body: { misbehaviours: { 'push-cut': 0.5 } } })
})

test('a simulator is not started with a name that it does not know', async () => {
  const plan = { seed: 7, misbehaviours: new Map([['push-cutt', 1]]) }
  await expect(openSimulator({ callbackDelayMs: 0, plan })).rejects.toThrow('no outcome called push-cutt')
})

describe('a run', () => {
  const outcomesOf = async (seed: number, phones: number[]) => {
    const plan = {
      seed,
      misbehaviours: new Map([
        ['cancelled', 0.3],
        ['calls-back-twice', 0.3],
        ['push-spike-arrest', 0.2],
        ['masked-phone', 0.5],
      ]),
    }
    const simulator = await openSimulator({ callbackDelayMs: A_MINUTE_MS, plan })
    await Promise.all(phones.map((phone) => simulator.push(pushBody({ PhoneNumber: phone, PartyA: phone }))))
    const { entries, refused, prompts, misbehaviours } = await simulator.ledger()
    expect(refused + prompts).toBe(phones.length)
    expect(misbehaviours['push-spike-arrest'] ?? 0).toBe(refused)
    return new Map(entries.map(({ phone, outcome }) => [phone, outcome]))
  }

  test('gets the same wrong under the same seed, in whichever order the calls come', async () => {
    const phones = Array.from({ length: 60 }, (_, index) => 254_712_000_000 + index)
    const first = await outcomesOf(7, phones)
    const again = await outcomesOf(7, phones.toReversed())
    expect(Object.fromEntries(again)).toEqual(Object.fromEntries(first))
    expect(Object.fromEntries(await outcomesOf(8, phones))).not.toEqual(Object.fromEntries(first))
    const names = [...first.values()].join(' ')
    for (const name of ['cancelled', 'calls-back-twice', 'masked-phone', '+']) expect(names).toContain(name)
  })

  test('spares what is chosen to be paid', async () => {
    const plan = {
      seed: 7,
      misbehaviours: new Map([
        ['push-cut', 1],
        ['calls-back-twice', 1],
      ]),
    }
    const { simulator, push, callbacks } = await openStage({ callbackDelayMs: 0, plan })
    expect((await push('paid')).status).toBe(200)
    await eventually(() => expect(callbacks()).toMatchObject([{ ResultCode: 0 }]))
    expect((await simulator.ledger()).entries).toMatchObject([
      { outcome: 'paid', callbacks: [{ status: 200 }] },
    ])
  })

  test('draws for each query anew', async () => {
    const plan = { seed: 7, misbehaviours: new Map([['query-no-answer', 0.5]]) }
    const { simulator, push } = await openStage({ callbackDelayMs: A_MINUTE_MS, plan })
    const { body } = await push('never-ends')
    const codes: string[] = []
    for (let round = 0; round < 40; round += 1) {
      const answer = await simulator.query(body['CheckoutRequestID'])
      codes.push(answer.body['errorCode'] ?? answer.body['ResultCode'] ?? '')
    }
    expect(new Set(codes)).toEqual(new Set(['500.001.1001', '4999']))
    expect((await simulator.ledger()).misbehaviours['query-no-answer']).toBe(
      codes.filter((code) => code === '500.001.1001').length,
    )
  })
})
