import { sql } from 'kysely'
import { Registry } from 'prom-client'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { addDeliveries, addDelivery, readDelivery } from '../support/deliveries.ts'
import { type Harness, startHarness } from '../support/dispatcher.ts'
import { eventually } from '../support/eventually.ts'
import { answerWith } from '../support/receiver.ts'

let testDatabase: TestDatabase
let test: Harness
let registry: Registry

beforeAll(async () => {
  testDatabase = await createTestDatabase()
})
afterAll(() => testDatabase.drop())
beforeEach(async () => {
  test = await startHarness(testDatabase.url)
  registry = new Registry()
})
afterEach(() => test.stop())

/** Each attempt at once after the one before. */
const AT_ONCE = Array.from({ length: 8 }, () => 0)

/** The events of the kind, in their order, each with what it names. */
const events = (kind: RegExp) => test.lines.filter((line) => kind.test(String(line['event'])))

const names = (id: bigint) => ({
  delivery_id: Number(id),
  payment_id: 1001,
  partner_id: 7,
  host: `127.0.0.1:${test.receiver.port}`,
})

const untilEnded = (id: bigint): Promise<void> =>
  eventually(async () => expect((await readDelivery(test.database, id)).state).not.toBe('pending'))

/** Says that nothing was ever wrong with the endpoint, again and again, so that its breaker stays out of the way. */
const keepClosed = (): AsyncDisposable => {
  const timer = setInterval(
    () => void sql`DELETE FROM endpoints`.execute(test.database).catch(() => undefined),
    5,
  )
  return {
    [Symbol.asyncDispose]: async () => {
      clearInterval(timer)
    },
  }
}

describe('an operator hears', () => {
  it('once of a delivery that fails for the 4th time, and once that it arrived after all', async () => {
    await using _closed = keepClosed()
    test.receiver.behave((received, response) =>
      answerWith(received.headers['webhook-attempt'] === '6' ? 200 : 500)(received, response),
    )
    test.dispatch({ scheduleMs: AT_ONCE, registry })
    const id = await addDelivery(test.database, test.receiver.url)
    await untilEnded(id)
    await eventually(() =>
      expect(events(/^delivery_(failing|recovered|dead)$/)).toMatchObject([
        { event: 'delivery_failing', level: 'warn', attempt: 4, error_class: 'status', ...names(id) },
        { event: 'delivery_recovered', level: 'info', attempt: 6, ...names(id) },
      ]),
    )
    const text = await registry.metrics()
    expect(text).toContain('gateway_delivery_signals_total{signal="failing"} 1')
    expect(text).toContain('gateway_delivery_signals_total{signal="recovered"} 1')
  })

  it('of a delivery that is dead, with the reason', async () => {
    test.receiver.behave(answerWith(410))
    test.dispatch({ registry })
    const id = await addDelivery(test.database, test.receiver.url)
    await untilEnded(id)
    await eventually(() =>
      expect(events(/^delivery_(failing|recovered|dead)$/)).toMatchObject([
        { event: 'delivery_dead', level: 'warn', reason: 'the endpoint answered 410 Gone', ...names(id) },
      ]),
    )
  })

  it('nothing of a delivery that arrives soon', async () => {
    test.receiver.behave((received, response) =>
      answerWith(received.headers['webhook-attempt'] === '3' ? 200 : 500)(received, response),
    )
    test.dispatch({ scheduleMs: AT_ONCE })
    const id = await addDelivery(test.database, test.receiver.url)
    await untilEnded(id)
    await eventually(() => expect(events(/^delivery_attempted$/)).toHaveLength(3))
    expect(events(/^delivery_(failing|recovered|dead)$|^endpoint_/)).toEqual([])
  })

  it('of an endpoint that goes down and comes back, each change once, however many dispatchers see it', async () => {
    test.receiver.behave(answerWith(500))
    test.dispatch({ scheduleMs: [0, 100, 100, 100], registry })
    test.dispatch({ scheduleMs: [0, 100, 100, 100] })
    await addDeliveries(
      test.database,
      Array.from({ length: 30 }, () => test.receiver.url),
    )
    await eventually(() => expect(events(/^endpoint_opened$/)).toHaveLength(1))
    await eventually(async () => {
      expect(await registry.metrics()).toMatch(/gateway_troubled_endpoints\{state="open"\} 1/)
      expect(await registry.metrics()).toMatch(/gateway_open_deliveries\{due="held"\} [1-9]/)
    })
    test.receiver.behave(answerWith(200))
    await eventually(() => expect(events(/^endpoint_recovered$/)).toHaveLength(1))
    const { host } = names(0n)
    expect(events(/^endpoint_/)).toMatchObject([
      { event: 'endpoint_opened', level: 'warn', partner_id: 7, host, open_ms: 5_000 },
      { event: 'endpoint_half_open', level: 'info', partner_id: 7, host, cause: 'time' },
      { event: 'endpoint_ramping', level: 'info', partner_id: 7, host, cause: 'success' },
      { event: 'endpoint_recovered', level: 'info', partner_id: 7, host, cause: 'none_held' },
    ])
    for (const line of events(/^endpoint_(opened|half_open|ramping)$/)) {
      expect(line['delivery_id']).toBeGreaterThan(0)
      expect(line['payment_id']).toBeGreaterThan(1_000)
    }
    await eventually(async () => {
      const open = await test.database.selectFrom('to_deliver').select('delivery_id').execute()
      expect(open).toEqual([])
    })
    expect(await test.database.selectFrom('endpoints').select('host').execute()).toEqual([])
  })
})
