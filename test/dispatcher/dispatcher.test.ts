import { sql } from 'kysely'
import { Registry } from 'prom-client'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { addDeliveries, addDelivery, readAttempts, readDelivery, readDuty } from '../support/deliveries.ts'
import { type Harness, startHarness } from '../support/dispatcher.ts'
import { eventually } from '../support/eventually.ts'
import { answerWith } from '../support/receiver.ts'

let testDatabase: TestDatabase
let test: Harness

beforeAll(async () => {
  testDatabase = await createTestDatabase()
})
afterAll(() => testDatabase.drop())
beforeEach(async () => {
  test = await startHarness(testDatabase.url)
})
afterEach(() => test.stop())

const untilState = (id: bigint, state: 'delivered' | 'dead'): Promise<void> =>
  eventually(async () => expect((await readDelivery(test.database, id)).state).toBe(state))

/** The number of each request's attempt, in the order they came. */
const attemptsReceived = (): string[] =>
  test.receiver.received.map((one) => one.headers['webhook-attempt'] ?? '')

describe.each([
  ['JetStream and Postgres', true],
  ['Postgres alone', false],
])('driven by %s, a delivery', (_how, withQueue) => {
  beforeEach(() => {
    if (!withQueue) return test.dispatch()
    const queue = test.openQueue()
    test.publish(queue)
    return test.dispatch({ queue })
  })

  it('arrives as it was written, with its headers, and is done', async () => {
    const id = await addDelivery(test.database, `${test.receiver.url}/hook?shop=3`)
    await untilState(id, 'delivered')
    const delivery = await readDelivery(test.database, id)
    expect(test.receiver.received).toHaveLength(1)
    const [one] = test.receiver.received
    expect(one).toMatchObject({ method: 'POST', path: '/hook?shop=3', body: delivery.body })
    expect(one?.headers).toMatchObject({
      'content-type': 'application/json',
      'user-agent': 'mpesa-gateway',
      'webhook-id': delivery.webhook_id,
      'webhook-attempt': '1',
    })
    const [attempt] = await readAttempts(test.database, id)
    expect(attempt).toMatchObject({
      number: 1,
      status: 200,
      error_class: null,
      answer: 'ok',
      address: '127.0.0.1',
    })
    expect(attempt?.finished_at).not.toBeNull()
    const startedSeconds = Math.floor((attempt?.started_at.getTime() ?? 0) / 1000)
    expect(Number(one?.headers['webhook-timestamp'])).toBe(startedSeconds)
    expect(delivery).toMatchObject({ attempts: 1, next_attempt_at: null, dead_reason: null })
    expect(delivery.ended_at).not.toBeNull()
    expect(await readDuty(test.database, id)).toBeUndefined()
  })

  it('is repeated after a failure under the same webhook-id, and the attempts count up', async () => {
    test.receiver.behave((received, response) => {
      answerWith(received.headers['webhook-attempt'] === '3' ? 200 : 500, 'hm')(received, response)
    })
    const id = await addDelivery(test.database, test.receiver.url)
    await untilState(id, 'delivered')
    expect(attemptsReceived()).toEqual(['1', '2', '3'])
    expect(new Set(test.receiver.received.map((one) => one.headers['webhook-id'])).size).toBe(1)
    expect(new Set(test.receiver.received.map((one) => one.body)).size).toBe(1)
    const attempts = await readAttempts(test.database, id)
    expect(attempts.map((one) => [one.number, one.status, one.error_class])).toEqual([
      [1, 500, 'status'],
      [2, 500, 'status'],
      [3, 200, null],
    ])
  })

  it('is dead when its retries run out, with the reason', async () => {
    test.receiver.behave(answerWith(500))
    const id = await addDelivery(test.database, test.receiver.url)
    await untilState(id, 'dead')
    const delivery = await readDelivery(test.database, id)
    expect(delivery).toMatchObject({
      attempts: 3,
      next_attempt_at: null,
      dead_reason: 'attempt 3 was the last and failed: status, HTTP 500',
    })
    expect(delivery.ended_at).not.toBeNull()
    expect(await readDuty(test.database, id)).toBeUndefined()
  })

  it('is dead at once after a 410', async () => {
    test.receiver.behave(answerWith(410))
    const id = await addDelivery(test.database, test.receiver.url)
    await untilState(id, 'dead')
    expect((await readDelivery(test.database, id)).dead_reason).toBe('the endpoint answered 410 Gone')
    expect(attemptsReceived()).toEqual(['1'])
  })
})

describe('a dispatcher', () => {
  it('makes one attempt however often the queue delivers it', async () => {
    const queue = test.openQueue()
    await eventually(() => expect(queue.state()).toBe('ok'))
    const ids = await addDeliveries(
      test.database,
      Array.from({ length: 5 }, () => test.receiver.url),
    )
    for (const publish_number of [1, 2, 3])
      await Promise.all(
        ids.map((delivery_id) =>
          queue.publish({
            delivery_id,
            publish_number,
            partner_id: 7n,
            host: new URL(test.receiver.url).host,
          }),
        ),
      )
    test.dispatch({ queue, overdueMs: 3_600_000 })
    const manager = await test.natsManager()
    await eventually(async () => {
      const { num_pending, num_ack_pending } = await manager.consumers.info(test.stream.name, 'dispatcher')
      expect([num_pending, num_ack_pending]).toEqual([0, 0])
    })
    await Promise.all(ids.map((id) => untilState(id, 'delivered')))
    expect(test.receiver.received).toHaveLength(5)
  })

  it('waits as long as Retry-After asks', async () => {
    test.receiver.behave(answerWith(503, '', { 'retry-after': '3600' }))
    test.dispatch()
    const id = await addDelivery(test.database, test.receiver.url)
    await eventually(async () => expect((await readAttempts(test.database, id))[0]?.finished_at).toBeTruthy())
    const { rows } = await sql<{ seconds: number; duty_agrees: boolean }>`
      SELECT extract(epoch FROM next_attempt_at - finished_at)::float8 AS seconds,
             to_deliver.due_at = next_attempt_at AND to_deliver.publish_at = next_attempt_at AS duty_agrees
      FROM deliveries JOIN to_deliver ON to_deliver.delivery_id = deliveries.id
      JOIN attempts ON attempts.delivery_id = deliveries.id WHERE deliveries.id = ${id}
    `.execute(test.database)
    expect(rows).toEqual([{ seconds: 3600, duty_agrees: true }])
  })

  it('logs each attempt in one line that holds no secret', async () => {
    test.receiver.behave(answerWith(500, 'unknown payer 254712345678'))
    test.dispatch()
    const id = await addDelivery(test.database, `${test.receiver.url}/secret-path`)
    await untilState(id, 'dead')
    await eventually(() =>
      expect(test.lines.filter((line) => line['event'] === 'delivery_attempted')).toHaveLength(3),
    )
    const [first, , last] = test.lines.filter((line) => line['event'] === 'delivery_attempted')
    expect(first).toMatchObject({
      delivery_id: Number(id),
      payment_id: 1001,
      partner_id: 7,
      attempt: 1,
      host: `127.0.0.1:${test.receiver.port}`,
      status: 500,
      error_class: 'status',
      outcome: 'retry',
    })
    expect(Date.parse(String(first?.['next']))).toBeGreaterThan(0)
    expect(last).toMatchObject({ attempt: 3, outcome: 'dead', next: null })
    expect(JSON.stringify(test.lines)).not.toMatch(/secret-path|254712345678|transaction_id/)
    expect((await readAttempts(test.database, id))[0]?.answer).toBe('unknown payer ************')
  })

  it('does not connect to an address that is not public', async () => {
    test.dispatch({ allowPrivateNetworks: false })
    const id = await addDelivery(test.database, `http://127.0.0.1:${test.receiver.port}/`)
    await untilState(id, 'dead')
    expect(test.receiver.received).toEqual([])
    expect((await readAttempts(test.database, id)).map((one) => one.error_class)).toEqual([
      'blocked',
      'blocked',
      'blocked',
    ])
  })

  it('keeps one slow partner from holding up the others', async () => {
    test.receiver.behave((received, response) => {
      if (received.path !== '/slow') answerWith(200)(received, response)
    })
    test.dispatch()
    await addDeliveries(
      test.database,
      Array.from({ length: 8 }, () => `${test.receiver.url}/slow`),
      8n,
    )
    const others = await addDeliveries(
      test.database,
      Array.from({ length: 100 }, () => `${test.receiver.url}/quick`),
    )
    await Promise.all(others.map((id) => untilState(id, 'delivered')))
    await test.receiver.close()
  })

  it('finishes and records what is under way when it stops, and takes nothing new', async () => {
    let answer = (): void => undefined
    test.receiver.behave((received, response) => {
      answer = () => answerWith(200)(received, response)
    })
    const dispatcher = test.dispatch()
    const id = await addDelivery(test.database, test.receiver.url)
    await eventually(() => expect(test.receiver.received).toHaveLength(1))
    const stopped = dispatcher.stop()
    const next = await addDelivery(test.database, test.receiver.url)
    answer()
    await stopped
    expect((await readDelivery(test.database, id)).state).toBe('delivered')
    expect(await readDelivery(test.database, next)).toMatchObject({ state: 'pending', attempts: 0 })
  })

  it('that is held behind some whose URLs are gone arrives at once, as soon as its endpoint answers', async () => {
    test.receiver.behave((received, response) => {
      answerWith(received.path === '/good' ? 200 : 410)(received, response)
    })
    const urls = ['/gone', '/gone', '/good'].map((path) => test.receiver.url + path)
    const [first = 0n, second = 0n, good = 0n] = await addDeliveries(test.database, urls)
    await sql`
      UPDATE to_deliver SET held_at = now(), due_at = now() + make_interval(secs => delivery_id - ${good} - 1)
    `.execute(test.database)
    await sql`
      INSERT INTO endpoints (partner_id, host, state, failures, opens, open_until)
      SELECT DISTINCT partner_id, host, 'open'::endpoint_state, 5, 1, now() FROM to_deliver
    `.execute(test.database)
    test.dispatch()
    await untilState(first, 'dead')
    await untilState(second, 'dead')
    await untilState(good, 'delivered')
    expect(test.receiver.received.map(({ path }) => path)).toEqual(['/gone', '/gone', '/good'])
  })

  it('counts attempts and shows the backlog', async () => {
    const registry = new Registry()
    test.receiver.behave((received, response) => {
      answerWith(received.path === '/good' ? 200 : 410)(received, response)
    })
    const dispatcher = test.dispatch({ registry })
    const good = await addDelivery(test.database, `${test.receiver.url}/good`)
    const gone = await addDelivery(test.database, `${test.receiver.url}/gone`)
    await untilState(good, 'delivered')
    await untilState(gone, 'dead')
    await dispatcher.stop()
    await sql`INSERT INTO to_deliver (delivery_id, partner_id, host, due_at, leased_until, held_at)
      VALUES (1000001, 7, '', now() - interval '200 seconds', now() + interval '1 hour', NULL),
        (1000002, 7, '', now() + interval '1 hour', now(), NULL),
        (1000003, 7, '', now() - interval '300 seconds', now(), now()),
        (1000004, 7, '', now() - interval '100 seconds', now(), NULL)
    `.execute(test.database)
    await eventually(async () => {
      const text = await registry.metrics()
      expect(text).toContain('gateway_delivery_attempts_total{outcome="delivered",error_class="none"} 1')
      expect(text).toContain('gateway_delivery_attempts_total{outcome="dead",error_class="status"} 1')
      expect(text).toMatch(/gateway_delivery_attempt_duration_seconds_count\{outcome="delivered"\} 1/)
      expect(text).toContain('gateway_open_deliveries{due="now"} 1')
      expect(text).toContain('gateway_open_deliveries{due="leased"} 1')
      expect(text).toContain('gateway_open_deliveries{due="held"} 1')
      expect(text).toContain('gateway_open_deliveries{due="later"} 1')
      expect(text).toMatch(/gateway_oldest_overdue_delivery_age_seconds 10\d\./)
    })
  })
})
