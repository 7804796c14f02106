import { sql } from 'kysely'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest'
import { prepareNatsServer } from '../queue/own-nats-server.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { addDeliveries, addDelivery, readAttempts, readDelivery } from '../support/deliveries.ts'
import { type Harness, startHarness } from '../support/dispatcher.ts'
import { eventually } from '../support/eventually.ts'
import { answerWith } from '../support/receiver.ts'
import { runStatement } from '../support/test-run.ts'

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

describe('several dispatchers', () => {
  it.each([
    ['JetStream and Postgres', true],
    ['Postgres alone', false],
  ])('driven by %s share the work, and no attempt is made twice', async (_how, withQueue) => {
    for (const _one of [1, 2, 3]) {
      const queue = withQueue ? test.openQueue() : null
      if (queue !== null) test.publish(queue)
      test.dispatch({ queue, overdueMs: 0 })
    }
    test.receiver.behave((received, response) => {
      answerWith(received.headers['webhook-attempt'] === '2' ? 200 : 503)(received, response)
    })
    const ids = await addDeliveries(
      test.database,
      Array.from({ length: 250 }, () => test.receiver.url),
      'own',
    )
    await eventually(async () => {
      const { rows } = await sql<{ open: number }>`SELECT count(*)::int AS open FROM to_deliver`.execute(
        test.database,
      )
      expect(rows[0]?.open).toBe(0)
    })
    const made = test.receiver.received.map(
      (one) => `${one.headers['webhook-id']} ${one.headers['webhook-attempt']}`,
    )
    expect(made).toHaveLength(2 * ids.length)
    expect(new Set(made).size).toBe(2 * ids.length)
  })
})

describe('what the queue loses', () => {
  it('is found in Postgres: a delivery that nobody published', async () => {
    test.dispatch({ queue: test.openQueue(), overdueMs: 300 })
    const id = await addDelivery(test.database, test.receiver.url)
    await untilState(id, 'delivered')
  })

  it('is made good when the stream is deleted under the dispatcher', async () => {
    const queue = test.openQueue()
    test.publish(queue)
    // Nothing but the queue could deliver in time.
    test.dispatch({ queue, overdueMs: 3_600_000 })
    const before = await addDelivery(test.database, test.receiver.url)
    await untilState(before, 'delivered')
    const manager = await test.natsManager()
    await manager.streams.delete(test.stream.name)
    await eventually(() => manager.consumers.info(test.stream.name, 'dispatcher'))
    await eventually(() => expect(queue.state()).toBe('ok'))
    const after = await addDelivery(test.database, test.receiver.url)
    await untilState(after, 'delivered')
  })

  it('does not hold up deliveries while NATS is away, before it came and after it went', async () => {
    const server = await prepareNatsServer()
    try {
      const queue = test.openQueue(server.url)
      test.publish(queue)
      test.dispatch({ queue, overdueMs: 3_600_000 })
      await untilState(await addDelivery(test.database, test.receiver.url), 'delivered')
      await server.start()
      await eventually(() => expect(queue.state()).toBe('ok'))
      await untilState(await addDelivery(test.database, test.receiver.url), 'delivered')
      await server.stop()
      await untilState(await addDelivery(test.database, test.receiver.url), 'delivered')
    } finally {
      await server.drop()
    }
  })
})

describe('an attempt whose dispatcher died', () => {
  /** A claim that nobody will ever record. */
  const abandon = (id: bigint) =>
    sql`
    WITH duty AS (UPDATE to_deliver SET leased_until = now() - interval '1 second' WHERE delivery_id = ${id}),
         counted AS (UPDATE deliveries SET attempts = 1 WHERE id = ${id})
    INSERT INTO attempts (delivery_id, number) VALUES (${id}, 1)
  `.execute(test.database)

  it('stays with an unknown outcome, and the delivery is sent again under its id with the next number', async () => {
    const id = await addDelivery(test.database, test.receiver.url)
    await abandon(id)
    test.dispatch()
    await untilState(id, 'delivered')
    expect(attemptsReceived()).toEqual(['2'])
    const attempts = await readAttempts(test.database, id)
    expect(attempts.map((one) => [one.number, one.finished_at === null, one.status])).toEqual([
      [1, true, null],
      [2, false, 200],
    ])
    expect(test.lines).toContainEqual(
      expect.objectContaining({ event: 'attempt_outcome_unknown', delivery_id: Number(id), attempt: 1 }),
    )
  })

  it('is left alone until its lease has run out', async () => {
    const id = await addDelivery(test.database, test.receiver.url)
    await abandon(id)
    await sql`UPDATE to_deliver SET leased_until = now() + interval '1 second'`.execute(test.database)
    test.dispatch()
    await untilState(id, 'delivered')
    const { rows } = await sql<{ waited: boolean }>`
      SELECT second.started_at - first.started_at > interval '900 ms' AS waited
      FROM attempts first JOIN attempts second USING (delivery_id) WHERE first.number = 1 AND second.number = 2
    `.execute(test.database)
    expect(rows).toEqual([{ waited: true }])
  })
})

describe('Postgres', () => {
  const killConnections = () =>
    runStatement(
      inject('databaseUrl'),
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE datname = '${new URL(testDatabase.url).pathname.slice(1)}'`,
    )

  it('may cut its connections at any moment: everything still arrives', async () => {
    const queue = test.openQueue()
    test.publish(queue)
    test.dispatch({ queue, overdueMs: 200 })
    const ids = await addDeliveries(
      test.database,
      Array.from({ length: 400 }, () => test.receiver.url),
    )
    for (const share of [50, 150, 300]) {
      await eventually(() => expect(test.receiver.received.length).toBeGreaterThan(share))
      await killConnections()
      // A claim whose commit nobody heard of waits for its lease: let it run out.
      await eventually(() =>
        sql`UPDATE to_deliver SET leased_until = now() WHERE leased_until > now()`.execute(test.database),
      )
    }
    await eventually(async () => {
      const states = await test.database
        .selectFrom('deliveries')
        .select('id')
        .where('state', '=', 'delivered')
        .execute()
      expect(states).toHaveLength(ids.length)
    })
  })
})
