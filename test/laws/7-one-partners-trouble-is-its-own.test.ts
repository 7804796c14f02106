import type { ServerResponse } from 'node:http'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { POST_LIMITS } from '../../src/dispatcher/deliver/post.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { addDeliveries, addDelivery, readDelivery } from '../support/deliveries.ts'
import { type Harness, startHarness } from '../support/dispatcher.ts'
import { eventually } from '../support/eventually.ts'
import { answerWith, type Receiver, startReceiver } from '../support/receiver.ts'

/** An endpoint that answers nothing until it is told to. */
type Hanging = { receiver: Receiver; answerAll(): void }

const TROUBLED = 1n
const WELL = 2n

/** Nothing ends by itself: whoever waits for the hanging endpoint, waits for ever. */
const NEVER = { ...POST_LIMITS, headersMs: 3_600_000, totalMs: 3_600_000 }

const PLACES = { concurrency: 16, endpointConcurrency: 8, limits: NEVER }

let testDatabase: TestDatabase
let test: Harness
let hanging: Hanging[]

beforeAll(async () => {
  testDatabase = await createTestDatabase()
})
afterAll(() => testDatabase.drop())
beforeEach(async () => {
  test = await startHarness(testDatabase.url)
  hanging = await Promise.all([1, 2, 3, 4, 5].map(() => startHanging()))
})
afterEach(async () => {
  // What hangs is cut, so that the dispatcher can record it and stop.
  await Promise.all(hanging.map(({ receiver }) => receiver.close()))
  await test.stop()
})

const startHanging = async (): Promise<Hanging> => {
  const receiver = await startReceiver()
  let waiting: (() => void)[] = []
  receiver.behave((received, response: ServerResponse) =>
    waiting.push(() => answerWith(200)(received, response)),
  )
  const answerAll = (): void => {
    receiver.behave(answerWith(200))
    for (const answer of waiting) answer()
    waiting = []
  }
  return { receiver, answerAll }
}

const urlsOf = (index: number, count: number): string[] =>
  Array.from({ length: count }, () => hanging[index]?.receiver.url ?? '')

const countOpen = async (): Promise<number> =>
  (await test.database.selectFrom('to_deliver').select('delivery_id').execute()).length

const untilDelivered = (id: bigint): Promise<void> =>
  eventually(async () => expect((await readDelivery(test.database, id)).state).toBe('delivered'))

describe.each([
  ['JetStream and Postgres', true],
  ['Postgres alone', false],
])('driven by %s, an endpoint that hangs', (_how, withQueue) => {
  beforeEach(() => {
    const queue = withQueue ? test.openQueue() : null
    if (queue !== null) test.publish(queue)
    test.dispatch({ queue, ...PLACES })
  })

  it('delays no other partner’s deliveries, however many are due to it, and loses none', async () => {
    await addDeliveries(test.database, urlsOf(0, 150), TROUBLED)
    await eventually(() => expect(hanging[0]?.receiver.received.length).toBeGreaterThan(0))
    for (let round = 0; round < 3; round += 1)
      await untilDelivered(await addDelivery(test.database, test.receiver.url, WELL))
    expect(hanging[0]?.receiver.received.length).toBeLessThanOrEqual(4)
    hanging[0]?.answerAll()
    await eventually(async () => expect(await countOpen()).toBe(0))
  })

  it('delays nobody together with others of the same partner', async () => {
    for (let index = 0; index < hanging.length; index += 1)
      await addDeliveries(test.database, urlsOf(index, 10), TROUBLED)
    await eventually(() =>
      expect(hanging.flatMap(({ receiver }) => receiver.received).length).toBeGreaterThan(0),
    )
    await untilDelivered(await addDelivery(test.database, test.receiver.url, WELL))
    expect(hanging.flatMap(({ receiver }) => receiver.received).length).toBeLessThanOrEqual(4)
  })
})

describe('an endpoint that fails', () => {
  it('is left alone after five failures, is asked by one probe at a time, and delays nobody', async () => {
    const [down] = hanging
    down?.receiver.behave(answerWith(500))
    test.dispatch({ scheduleMs: [0, 60_000] })
    test.dispatch({ scheduleMs: [0, 60_000] })
    await addDeliveries(test.database, urlsOf(0, 100), TROUBLED)
    await eventually(() =>
      expect(test.lines.filter((line) => line['event'] === 'endpoint_opened')).toHaveLength(1),
    )
    await untilDelivered(await addDelivery(test.database, test.receiver.url, WELL))
    // What failed before it opened waits for its next attempt; everything else is held.
    await eventually(async () => {
      const rows = await test.database.selectFrom('to_deliver').select(['held_at', 'due_at']).execute()
      expect(rows.filter((row) => row.held_at !== null).length).toBeGreaterThan(0)
      expect(rows.filter((row) => row.held_at === null && row.due_at.getTime() < Date.now())).toEqual([])
    })
    await eventually(() =>
      expect(test.lines.filter((line) => line['event'] === 'endpoint_opened')).toHaveLength(2),
    )
    const events = test.lines.map((line) => line['event'])
    const probing = test.lines.slice(
      events.indexOf('endpoint_half_open'),
      events.lastIndexOf('endpoint_opened'),
    )
    expect(probing.filter((line) => line['event'] === 'delivery_attempted')).toHaveLength(1)
  })
})
