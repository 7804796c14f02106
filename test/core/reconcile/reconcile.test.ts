import { Registry } from 'prom-client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { addOverduePayments } from '../../../src/core/metrics.ts'
import { nextDelay } from '../../../src/core/payments/duties.ts'
import { type CallbackReceiver, openCallbackReceiver } from '../../support/callback-receiver.ts'
import { startTestCore, type TestCore } from '../../support/core.ts'
import { type DarajaRelay, openDarajaRelay, QUERY_PATH } from '../../support/daraja-relay.ts'
import { eventually } from '../../support/eventually.ts'
import { readBodies, readDuties, readMoves, readPayment } from '../../support/payments.ts'
import { paymentRequest } from '../../support/requests.ts'
import { misbehave } from '../../support/simulator.ts'

describe('the pause before a query', () => {
  const pauseAfter = (queries: number, random = 0) =>
    nextDelay({ firstMs: 90_000, queries, random: () => random })

  it('grows by half, up to an hour', () => {
    expect([0, 1, 2, 3].map((queries) => pauseAfter(queries))).toEqual([90_000, 135_000, 202_500, 303_750])
    expect(pauseAfter(100)).toBe(3_600_000)
  })

  it('is up to a fifth longer at random, never shorter', () => {
    expect(pauseAfter(0, 0.999)).toBeGreaterThan(107_000)
    expect(pauseAfter(0, 0.999)).toBeLessThanOrEqual(108_000)
  })
})

describe('payments that never called back', () => {
  let test: TestCore
  let relay: DarajaRelay
  let receiver: CallbackReceiver

  beforeAll(async () => {
    relay = await openDarajaRelay({ target: () => test.simulator.url })
    test = await startTestCore({
      config: { daraja: { baseUrl: relay.url, timeoutMs: 1_000 }, reconcile: { afterMs: 150 } },
      // No jitter: what grows is seen to grow.
      random: () => 0,
    })
    receiver = await openCallbackReceiver(test)
  })
  afterAll(async () => {
    await receiver.close()
    await test.stop()
    await relay.close()
  })

  const ask = async (msisdn: string): Promise<bigint> => {
    const request = paymentRequest({ msisdn })
    return (await test.clients.payments.requestPayment(request, { headers: test.headers })).paymentId
  }

  const dutyOf = (id: bigint) =>
    test.database.selectFrom('to_query').selectAll().where('payment_id', '=', id).executeTakeFirst()

  it('stay open under pending answers, and are asked for after growing pauses', async () => {
    const id = await ask('254700000120')
    const checkoutRequestId = await eventually(async () => {
      const payment = await readPayment(test.database, id)
      expect(payment.checkout_request_id).not.toBeNull()
      return payment.checkout_request_id ?? ''
    })
    const queries = () => relay.callsTo(QUERY_PATH).filter(({ body }) => body.includes(checkoutRequestId))
    await eventually(() => expect(queries().length).toBeGreaterThanOrEqual(4))
    const times = queries().map(({ atMs }) => atMs)
    for (const [index, pauseMs] of [225, 337, 506].entries()) {
      expect((times[index + 1] ?? 0) - (times[index] ?? 0)).toBeGreaterThanOrEqual(pauseMs)
    }
    expect(await readPayment(test.database, id)).toMatchObject({ state: 'submitted' })
    expect(await readDuties(test.database, id)).toEqual(['query'])
    expect(await readBodies(test.database, id)).toEqual([])
  })

  it('are settled by the query, and a late callback fills in the receipt without a second delivery', async () => {
    const release = receiver.hold()
    const id = await ask('254700000301')
    await eventually(async () => {
      expect(await readPayment(test.database, id)).toMatchObject({ state: 'successful', receipt: null })
    })
    release()
    expect((await readMoves(test.database, id)).at(-1)).toBe('submitted>successful query')
    await eventually(async () => {
      expect(await readPayment(test.database, id)).toMatchObject({ receipt: expect.any(String) })
    })
    expect(await readBodies(test.database, id)).toMatchObject([{ status: 'successful', mpesa_receipt: null }])
  })

  it('settle nothing under throttling, which holds the account for all calls', async () => {
    await misbehave(test.simulator, { 'query-spike-arrest': 1 })
    const id = await ask('254700000022')
    const held = await eventually(async () => {
      const account = await test.database.selectFrom('daraja_accounts').selectAll().executeTakeFirstOrThrow()
      expect(account.held_until.getTime()).toBeGreaterThan(Date.now())
      return account
    })
    expect(held.holds).toBe(1)
    await eventually(async () => expect((await dutyOf(id))?.queries).toBeGreaterThanOrEqual(1))
    expect(await readPayment(test.database, id)).toMatchObject({ state: 'submitted' })
    await misbehave(test.simulator, {})
    await eventually(async () => {
      expect(await readPayment(test.database, id)).toMatchObject({ state: 'successful' })
    })
    const settled = await test.database
      .selectFrom('payment_history')
      .select('at')
      .where('payment_id', '=', id)
      .where('cause', '=', 'query')
      .executeTakeFirstOrThrow()
    expect(settled.at.getTime()).toBeGreaterThanOrEqual(held.held_until.getTime())
  })

  it('are counted once they are overdue', async () => {
    const id = await ask('254700000120')
    await eventually(async () => {
      expect(await readPayment(test.database, id)).toMatchObject({ state: 'submitted' })
    })
    const overdue = async (afterMs: number): Promise<number> => {
      const registry = new Registry()
      addOverduePayments(registry, test.database, afterMs)
      const text = await registry.metrics()
      return Number(/^gateway_overdue_payments (\d+)$/m.exec(text)?.[1])
    }
    expect(await overdue(600_000)).toBe(0)
    expect(await overdue(0)).toBeGreaterThanOrEqual(1)
  })
})
