import { describe, expect, test } from 'vitest'
import { eventually, openSimulator, pushBody } from './harness.ts'
import { openStage } from './stage.ts'

const A_MINUTE_MS = 60_000

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
    const { simulator, push, told } = await openStage({ callbackDelayMs: 0, plan })
    expect((await push('paid')).status).toBe(200)
    await eventually(() => expect(told()).toMatchObject([{ ResultCode: 0 }]))
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
