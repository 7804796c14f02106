import { request } from 'undici'
import { expect, test } from 'vitest'
import { openSimulator, pushBody } from './harness.ts'

const A_MINUTE_MS = 60_000

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

test('the plan is told by the page and in the log', async () => {
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
