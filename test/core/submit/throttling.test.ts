import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type CallbackReceiver, openCallbackReceiver } from '../../support/callback-receiver.ts'
import { startTestCore, type TestCore } from '../../support/core.ts'
import {
  type DarajaRelay,
  LATE,
  mostInASecond,
  openDarajaRelay,
  PUSH_PATH,
} from '../../support/daraja-relay.ts'
import { eventually } from '../../support/eventually.ts'
import { acceptPayment, readMoves } from '../../support/payments.ts'
import { paymentRequest } from '../../support/requests.ts'
import { misbehave } from '../../support/simulator.ts'

const CONCURRENCY = 8

describe('pushes', () => {
  let test: TestCore
  let relay: DarajaRelay
  let receiver: CallbackReceiver

  const start = async (given: {
    ttlMs?: number
    pushesPerSecond?: number
    nowMs?: () => number
  }): Promise<void> => {
    const { ttlMs = 120_000, pushesPerSecond = null, nowMs = () => performance.now() } = given
    relay = await openDarajaRelay({ target: () => test.simulator.url })
    test = await startTestCore({
      config: {
        daraja: { baseUrl: relay.url, timeoutMs: 2_000, pushesPerSecond },
        submit: { ttlMs, concurrency: CONCURRENCY },
      },
      nowMs,
    })
    receiver = await openCallbackReceiver(test)
  }
  const stop = async (): Promise<void> => {
    await receiver.close()
    await test.stop()
    await relay.close()
  }

  const ask = (count: number) =>
    Promise.all(
      Array.from({ length: count }, () =>
        test.clients.payments.requestPayment(paymentRequest(), { headers: test.headers }),
      ),
    )

  const states = async (): Promise<Record<string, number>> => {
    const rows = await test.database
      .selectFrom('payments')
      .select(['state', (build) => build.fn.countAll<bigint>().as('count')])
      .groupBy('state')
      .execute()
    return Object.fromEntries(rows.map(({ state, count }) => [state, Number(count)]))
  }

  describe('that meet spike arrest', () => {
    beforeAll(() => start({ ttlMs: 60_000 }))
    afterAll(stop)

    it('leave the whole account alone, and go on when that is over: nothing is lost', async () => {
      await misbehave(test.simulator, { 'push-spike-arrest': 1 })
      await ask(40)
      await eventually(async () => {
        const held = await test.database.selectFrom('daraja_accounts').selectAll().execute()
        expect(held).toMatchObject([{ holds: 1 }])
        // All that were on their way have been turned away too.
        expect(await states()).toEqual({ accepted: 40 })
      })
      const { held_until: heldUntil } = await test.database
        .selectFrom('daraja_accounts')
        .select('held_until')
        .executeTakeFirstOrThrow()
      await misbehave(test.simulator, {})
      await eventually(async () => expect(await states()).toEqual({ successful: 40 }))
      // The first round only, and what was on its way when the first of them was turned away.
      const refused = relay.callsTo(PUSH_PATH).filter(({ status }) => status === 500)
      expect(refused.length).toBeLessThanOrEqual(2 * CONCURRENCY)
      expect(relay.callsTo(PUSH_PATH)).toHaveLength(40 + refused.length)
      const first = await test.database
        .selectFrom('payment_history')
        .select('at')
        .where('cause', '=', 'push_accepted')
        .orderBy('at')
        .executeTakeFirstOrThrow()
      expect(first.at.getTime()).toBeGreaterThanOrEqual(heldUntil.getTime())
    })
  })

  describe('that meet spike arrest until their deadline', () => {
    beforeAll(() => start({ ttlMs: 1_500 }))
    afterAll(stop)

    it('fail in time, although the account is held for longer, and prompt nobody', async () => {
      await misbehave(test.simulator, { 'push-quota': 1 })
      await ask(20)
      await eventually(async () => expect(await states()).toEqual({ failed: 20 }))
      const failed = await test.database.selectFrom('payments').select('result_code').distinct().execute()
      expect(failed).toEqual([{ result_code: 'NOT_PROMPTED' }])
      const { held_until: heldUntil } = await test.database
        .selectFrom('daraja_accounts')
        .select('held_until')
        .executeTakeFirstOrThrow()
      expect(heldUntil.getTime()).toBeGreaterThan(Date.now())
      expect(await test.database.selectFrom('deliveries').select('id').execute()).toHaveLength(20)
    })
  })

  describe('of a process that stands still between taking and pushing', () => {
    let readings = 0
    beforeAll(() =>
      start({
        // Twenty seconds pass between any two looks at the clock.
        nowMs: () => {
          readings += 1
          return readings * 20_000
        },
      }),
    )
    afterAll(stop)

    it('are not made: the payment goes back, to be taken by a process that runs', async () => {
      const id = await acceptPayment(test.database)
      await eventually(async () =>
        expect((await readMoves(test.database, id)).slice(0, 2)).toEqual([
          'accepted>submitting taken_for_submission',
          'submitting>accepted push_to_be_repeated',
        ]),
      )
      expect(relay.callsTo(PUSH_PATH)).toEqual([])
    })
  })

  describe('with a rate for the account', () => {
    beforeAll(() => start({ pushesPerSecond: 20 }))
    afterAll(stop)

    it('never exceed it', async () => {
      await ask(60)
      await eventually(async () => expect(await states()).toEqual({ successful: 60 }))
      expect(relay.callsTo(PUSH_PATH)).toHaveLength(60)
      expect(mostInASecond(relay.callsTo(PUSH_PATH))).toBeLessThanOrEqual(20 * LATE)
    })
  })
})
