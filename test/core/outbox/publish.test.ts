import { sql } from 'kysely'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Publishing, startPublishing, takeUnpublished } from '../../../src/core/outbox/publish.ts'
import type { Database } from '../../../src/database/connect.ts'
import { FROM_BEGINNING } from '../../../src/database/look-back.ts'
import { type DeliveryQueue, openDeliveryQueue } from '../../../src/queue/delivery-queue.ts'
import type { Due } from '../../../src/queue/delivery-stream.ts'
import { createLog } from '../../../src/runtime/log.ts'
import { type OpenDatabase, openTestDatabase } from '../../support/database.ts'
import { addDeliveries, addDelivery, readDuty } from '../../support/deliveries.ts'
import { eventually } from '../../support/eventually.ts'
import { quietLog } from '../../support/quiet-log.ts'
import { createTestStream } from '../../support/streams.ts'

let own: OpenDatabase
let database: Database
const cleanUp: (() => Promise<unknown>)[] = []

beforeAll(async () => {
  own = await openTestDatabase({ poolSize: 6 })
  database = own.database
})
afterAll(() => own.close())
beforeEach(() => database.deleteFrom('to_deliver').execute())
afterEach(async () => {
  for (const step of cleanUp.splice(0).toReversed()) await step()
})

const openQueue = async (given: { maxBytes?: number } = {}): Promise<DeliveryQueue> => {
  const stream = createTestStream()
  const queue = openDeliveryQueue({ ...stream, stream: stream.name, log: quietLog, ...given })
  cleanUp.push(
    () => stream.delete(),
    () => queue.close(),
  )
  await eventually(() => expect(queue.state()).toBe('ok'))
  return queue
}

const publishing = (queue: DeliveryQueue | null): Publishing => {
  const loop = startPublishing({ database, queue, log: quietLog, nowMs: () => performance.now() })
  cleanUp.push(() => loop.stop())
  return loop
}

type Told = Pick<Due, 'delivery_id' | 'publish_number'>

/** Takes what comes out of the queue and acknowledges it. */
const collect = (queue: DeliveryQueue): Told[] => {
  const messages: Told[] = []
  const consumption = queue.consume({
    prefetch: 64,
    onMessage: async (message) => {
      messages.push({ delivery_id: message.delivery_id, publish_number: message.publish_number })
      message.finish(true)
    },
  })
  cleanUp.push(() => consumption.stop())
  return messages
}

const withPublish = (queue: DeliveryQueue, publish: DeliveryQueue['publish']): DeliveryQueue => ({
  ...queue,
  publish,
})

describe('publishing', () => {
  it('publishes everything that is due, once', async () => {
    const queue = await openQueue()
    const ids = await addDeliveries(
      database,
      Array.from({ length: 1_200 }, () => 'https://shop.co.ke/'),
    )
    publishing(queue)
    const messages = collect(queue)
    await eventually(() => expect(messages).toHaveLength(1_200))
    expect(new Set(messages.map((message) => message.delivery_id))).toEqual(new Set(ids))
    expect(messages.every((message) => message.publish_number === 1)).toBe(true)
    expect(await takeUnpublished(database, FROM_BEGINNING)).toEqual([])
  })

  it('publishes what was just committed when it is woken, and by itself soon after', async () => {
    const queue = await openQueue()
    const loop = publishing(queue)
    const messages = collect(queue)
    const woken = await addDelivery(database, 'https://shop.co.ke/')
    loop.wake()
    await eventually(() => expect(messages).toEqual([{ delivery_id: woken, publish_number: 1 }]))
    const unwoken = await addDelivery(database, 'https://shop.co.ke/')
    await eventually(() => expect(messages).toContainEqual({ delivery_id: unwoken, publish_number: 1 }))
  })

  it('leaves what is not due yet, what a dispatcher has, and what is held for its endpoint', async () => {
    const queue = await openQueue()
    const later = await addDelivery(database, 'https://shop.co.ke/')
    const leased = await addDelivery(database, 'https://shop.co.ke/')
    const held = await addDelivery(database, 'https://shop.co.ke/')
    const due = await addDelivery(database, 'https://shop.co.ke/')
    await sql`UPDATE to_deliver SET held_at = now() WHERE delivery_id = ${held}`.execute(database)
    await sql`UPDATE to_deliver SET due_at = now() + interval '1 hour' WHERE delivery_id = ${later}`.execute(
      database,
    )
    await sql`UPDATE to_deliver SET leased_until = now() + interval '1 hour' WHERE delivery_id = ${leased}`.execute(
      database,
    )
    expect(await takeUnpublished(database, FROM_BEGINNING)).toEqual([
      { delivery_id: due, publish_number: 1, partner_id: 7n, host: 'shop.co.ke' },
    ])
    expect(await takeUnpublished(database, FROM_BEGINNING)).toEqual([])
    const messages = collect(queue)
    publishing(queue)
    await sql`UPDATE to_deliver SET due_at = now() WHERE delivery_id = ${later}`.execute(database)
    await eventually(() => expect(messages).toEqual([{ delivery_id: later, publish_number: 1 }]))
  })

  it('publishes again, under the next number, of what was published two minutes ago and is still due', async () => {
    const queue = await openQueue()
    const id = await addDelivery(database, 'https://shop.co.ke/')
    publishing(queue)
    const messages = collect(queue)
    await eventually(() => expect(messages).toHaveLength(1))
    const duty = await readDuty(database, id)
    const { rows } = await sql<{ seconds: number }>`
      SELECT extract(epoch FROM publish_at - now())::float8 AS seconds FROM to_deliver WHERE delivery_id = ${id}
    `.execute(database)
    expect(duty?.publish_number).toBe(1)
    expect(rows[0]?.seconds).toBeGreaterThan(100)
    expect(rows[0]?.seconds).toBeLessThanOrEqual(120)
    await sql`UPDATE to_deliver SET publish_at = publish_at - interval '2 minutes'`.execute(database)
    await eventually(() =>
      expect(messages).toEqual([1, 2].map((publish_number) => ({ delivery_id: id, publish_number }))),
    )
  })

  it('does not hand one row to two publishers', async () => {
    await addDeliveries(
      database,
      Array.from({ length: 300 }, () => 'https://shop.co.ke/'),
    )
    const taken = await Promise.all([1, 2, 3, 4].map(() => takeUnpublished(database, FROM_BEGINNING)))
    const ids = taken.flat().map((row) => row.delivery_id)
    expect(ids).toHaveLength(300)
    expect(new Set(ids).size).toBe(300)
  })

  it('loses nothing while the stream is full: it is published when there is room', async () => {
    // Room for two messages, each of ten deliveries.
    const queue = await openQueue({ maxBytes: 1_024 })
    const ids = await addDeliveries(
      database,
      Array.from({ length: 40 }, () => 'https://shop.co.ke/'),
    )
    publishing(queue)
    await eventually(async () => {
      const { rows } = await sql<{ due: number }>`
        SELECT count(*)::int AS due FROM to_deliver WHERE publish_number > 0 AND publish_at <= now()
      `.execute(database)
      expect(rows[0]?.due).toBe(20)
    })
    const messages = collect(queue)
    await eventually(() =>
      expect(new Set(messages.map((message) => message.delivery_id))).toEqual(new Set(ids)),
    )
  })

  it('tries again what JetStream did not confirm, with the next number', async () => {
    const queue = await openQueue()
    const id = await addDelivery(database, 'https://shop.co.ke/')
    const tries: number[] = []
    const failing = withPublish(queue, async (due) => {
      tries.push(due.publish_number)
      if (tries.length < 4) throw new Error('TIMEOUT')
      await queue.publish(due)
    })
    publishing(failing)
    const messages = collect(queue)
    await eventually(() => expect(messages).toEqual([{ delivery_id: id, publish_number: 4 }]))
    expect(tries).toEqual([1, 2, 3, 4])
  })

  it('publishes at once what was committed as published, and again what JetStream did not confirm', async () => {
    const queue = await openQueue()
    const ids = await addDeliveries(database, ['https://shop.co.ke/', 'https://shop.co.ke/'])
    const committed = await takeUnpublished(database, FROM_BEGINNING)
    expect(committed).toHaveLength(2)
    let tries = 0
    const failing = withPublish(queue, async (due) => {
      tries += 1
      if (tries === 1) throw new Error('TIMEOUT')
      await queue.publish(due)
    })
    const loop = publishing(failing)
    const messages = collect(queue)
    const publish = loop.atOnce()
    publish?.(committed)
    await eventually(() => expect(messages).toHaveLength(2))
    expect(messages[0]).toEqual({ delivery_id: committed[1]?.delivery_id, publish_number: 1 })
    expect(messages[1]).toEqual({ delivery_id: committed[0]?.delivery_id, publish_number: 2 })
    expect(new Set(messages.map(({ delivery_id }) => delivery_id))).toEqual(new Set(ids))
  })

  it('takes nothing to be published at once while it rests after a failure, or while there is no queue', async () => {
    const queue = await openQueue()
    let nowMs = 0
    const failing = withPublish(queue, () => Promise.reject(new Error('TIMEOUT')))
    const loop = startPublishing({ database, queue: failing, log: quietLog, nowMs: () => nowMs })
    cleanUp.push(() => loop.stop())
    expect(publishing(null).atOnce()).toBeNull()
    const committed = [{ delivery_id: 1n, publish_number: 1, partner_id: 7n, host: 'shop.co.ke' }]
    loop.atOnce()?.(committed)
    await eventually(() => expect(loop.atOnce()).toBeNull())
    nowMs += 100
    expect(loop.atOnce()).not.toBeNull()
  })

  it('rests after a failure for longer each time, and tries nothing meanwhile', async () => {
    const queue = await openQueue()
    const id = await addDelivery(database, 'https://shop.co.ke/')
    let nowMs = 0
    let tries = 0
    const failing = withPublish(queue, async (due) => {
      if (due.delivery_id === id) tries += 1
      throw new Error('TIMEOUT')
    })
    const loop = startPublishing({ database, queue: failing, log: quietLog, nowMs: () => nowMs })
    cleanUp.push(() => loop.stop())
    for (const [index, pauseMs] of [100, 200, 400, 800].entries()) {
      await eventually(() => expect(tries).toBe(index + 1))
      nowMs += pauseMs - 1
      loop.wake()
      await addDelivery(database, 'https://shop.co.ke/')
      expect(tries).toBe(index + 1)
      nowMs += 1
    }
  })

  it('reports its trouble once, and that it is over', async () => {
    const queue = await openQueue()
    await addDelivery(database, 'https://shop.co.ke/')
    const lines: Record<string, unknown>[] = []
    const log = createLog({
      name: 'test',
      level: 'info',
      to: { write: (line) => lines.push(JSON.parse(line)) },
    })
    let tries = 0
    const failing = withPublish(queue, async () => {
      tries += 1
      if (tries < 3) throw new Error('maximum messages exceeded')
    })
    const loop = startPublishing({ database, queue: failing, log, nowMs: () => performance.now() })
    cleanUp.push(() => loop.stop())
    await eventually(() =>
      expect(lines.map((line) => line['event'])).toEqual(['publishing_held_up', 'publishing_resumed']),
    )
    expect(lines[0]).toMatchObject({ reason: 'maximum messages exceeded' })
  })

  it('does nothing without a queue, and nothing while it is away', async () => {
    const id = await addDelivery(database, 'https://shop.co.ke/')
    const away = openDeliveryQueue({
      natsUrl: 'nats://127.0.0.1:1',
      stream: 'never',
      name: 'test',
      log: quietLog,
    })
    cleanUp.push(() => away.close())
    for (const queue of [null, away]) {
      const loop = publishing(queue)
      loop.wake()
      await loop.stop()
    }
    expect(await readDuty(database, id)).toMatchObject({ publish_number: 0 })
  })
})
