import { connect, type NatsConnection } from 'nats'
import { Registry } from 'prom-client'
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest'
import { type DeliveryQueue, openDeliveryQueue } from '../../src/queue/delivery-queue.ts'
import { CONSUMER, type DueMessage, subjectOf } from '../../src/queue/delivery-stream.ts'
import { createLog, type Log } from '../../src/runtime/log.ts'
import { eventually } from '../support/eventually.ts'
import { quietLog } from '../support/quiet-log.ts'
import { createTestStream } from '../support/streams.ts'
import { prepareNatsServer } from './own-nats-server.ts'

let admin: NatsConnection
const cleanUp: (() => Promise<unknown>)[] = []

beforeAll(async () => {
  admin = await connect({ servers: inject('natsUrl') })
})
afterEach(async () => {
  for (const step of cleanUp.splice(0).toReversed()) await step()
})
afterAll(() => admin.close())

const uniqueStream = (): string => {
  const stream = createTestStream()
  cleanUp.push(() => stream.delete())
  return stream.name
}

type Given = {
  natsUrl?: string
  stream?: string
  maxBytes?: number
  replicas?: number
  log?: Log
  registry?: Registry
}

const open = (given: Given = {}): DeliveryQueue => {
  const queue = openDeliveryQueue({
    natsUrl: inject('natsUrl'),
    stream: given.stream ?? uniqueStream(),
    name: 'test',
    log: quietLog,
    ...given,
  })
  cleanUp.push(() => queue.close())
  return queue
}

const untilOk = (queue: DeliveryQueue): Promise<void> => eventually(() => expect(queue.state()).toBe('ok'))

/** Acknowledges everything, and lists it. */
const collect = (queue: DeliveryQueue): { ids: bigint[]; messages: DueMessage[] } => {
  const messages: DueMessage[] = []
  const ids: bigint[] = []
  const consumption = queue.consume({
    prefetch: 8,
    onMessage: async (message) => {
      messages.push(message)
      ids.push(message.delivery_id)
      message.finish(true)
    },
  })
  cleanUp.push(() => consumption.stop())
  return { ids, messages }
}

const due = (delivery_id: bigint, publish_number: number) => ({
  delivery_id,
  publish_number,
  partner_id: 3n,
  host: 'shop.co.ke:8443',
})

describe('the delivery stream', () => {
  it('is a bounded work queue on disk with one durable pull consumer', async () => {
    const stream = uniqueStream()
    await untilOk(open({ stream, maxBytes: 1_000_000 }))
    const manager = await admin.jetstreamManager()
    const { config } = await manager.streams.info(stream)
    expect(config).toMatchObject({
      subjects: [subjectOf(stream)],
      storage: 'file',
      retention: 'workqueue',
      discard: 'new',
      max_bytes: 1_000_000,
      max_age: 86_400e9,
      duplicate_window: 120e9,
    })
    const consumer = await manager.consumers.info(stream, CONSUMER)
    expect(consumer.config).toMatchObject({ ack_policy: 'explicit', ack_wait: 60e9, max_deliver: -1 })
    expect(consumer.config.backoff ?? []).toEqual([])
    expect(consumer.config.deliver_subject).toBeUndefined()
    expect(consumer.config.max_ack_pending).toBeGreaterThanOrEqual(50_000)
  })

  it('is left as it is when it exists, and shared by all who open it', async () => {
    const stream = uniqueStream()
    await untilOk(open({ stream, maxBytes: 1_000_000 }))
    const other = open({ stream, maxBytes: 2_000_000 })
    await untilOk(other)
    const manager = await admin.jetstreamManager()
    expect((await manager.streams.info(stream)).config.max_bytes).toBe(1_000_000)
  })

  it('is used as it is where NATS has too few servers for it, and the log says so', async () => {
    const stream = uniqueStream()
    await untilOk(open({ stream }))
    const lines: unknown[] = []
    const to = { write: (line: string) => void lines.push(JSON.parse(line)) }
    const log = createLog({ name: 'test', level: 'warn', to })
    const queue = open({ stream, replicas: 3, log })
    await untilOk(queue)
    await queue.publish(due(1n, 1))
    expect(lines).toContainEqual(
      expect.objectContaining({ event: 'queue_replicas_refused', stream, replicas: 3 }),
    )
  })

  it('is not made where NATS has too few servers for it', async () => {
    const stream = uniqueStream()
    const queue = open({ stream, replicas: 3 })
    await expect(eventually(() => queue.publish(due(1n, 1)), 1_000)).rejects.toThrow(/replicas/)
    expect(queue.state()).toBe('away')
  })

  it('is reached by whichever of several servers answers', async () => {
    const queue = open({ natsUrl: `nats://127.0.0.1:1,${inject('natsUrl')}` })
    await untilOk(queue)
    await queue.publish(due(1n, 1))
  })

  it('is not taken over when its name belongs to something else', async () => {
    const stream = uniqueStream()
    const manager = await admin.jetstreamManager()
    await manager.streams.add({ name: stream, subjects: [`${stream}.other`] })
    const queue = open({ stream })
    await expect(queue.publish(due(1n, 1))).rejects.toThrow()
    expect(queue.state()).toBe('away')
  })
})

describe('the delivery queue', () => {
  it('carries what is due to a dispatcher, and a repeated number only once', async () => {
    const queue = open()
    await untilOk(queue)
    await queue.publish(due(7n, 1))
    await queue.publish(due(7n, 1))
    await queue.publish(due(7n, 2))
    const { messages } = collect(queue)
    await eventually(() => expect(messages).toHaveLength(2))
    await queue.publish(due(9_007_199_254_740_993n, 1))
    await eventually(() => expect(messages).toHaveLength(3))
    expect(messages).toMatchObject([due(7n, 1), due(7n, 2), due(9_007_199_254_740_993n, 1)])
  })

  it('carries what is published together in few messages, and keeps each until all of it is dealt with', async () => {
    const stream = uniqueStream()
    const queue = open({ stream })
    await untilOk(queue)
    const dues = Array.from({ length: 20 }, (_one, index) => due(BigInt(index + 1), 1))
    await Promise.all(dues.map((one) => queue.publish(one)))
    const manager = await admin.jetstreamManager()
    const stored = async (): Promise<number> => (await manager.streams.info(stream)).state.messages
    expect(await stored()).toBe(3)
    const messages: DueMessage[] = []
    const consumption = queue.consume({
      prefetch: 8,
      onMessage: async (message) => void messages.push(message),
    })
    cleanUp.push(() => consumption.stop())
    await eventually(() => expect(messages).toMatchObject(dues))
    for (const message of messages.slice(1)) message.finish(true)
    await eventually(async () => expect(await stored()).toBe(1))
    messages[0]?.finish(false)
    await eventually(() => expect(messages.length).toBeGreaterThan(dues.length))
    expect(messages[dues.length]).toMatchObject(due(1n, 1))
    for (const message of messages.slice(dues.length)) message.finish(true)
  })

  it('hands a released message to another at once', async () => {
    const stream = uniqueStream()
    const queue = open({ stream })
    await untilOk(queue)
    const seen: number[] = []
    const consumption = queue.consume({
      prefetch: 1,
      onMessage: async (message) => {
        seen.push(message.publish_number)
        if (seen.length === 1) message.finish(false)
        else message.finish(true)
      },
    })
    cleanUp.push(() => consumption.stop())
    await queue.publish(due(1n, 1))
    await eventually(() => expect(seen).toEqual([1, 1]))
  })

  it('holds no more messages than asked for while they are not taken over', async () => {
    const stream = uniqueStream()
    const queue = open({ stream })
    await untilOk(queue)
    for (let id = 1n; id <= 50n; id += 1n) await queue.publish(due(id, 1))
    let letGo = (): void => undefined
    const held = new Promise<void>((resolve) => {
      letGo = resolve
    })
    const seen: bigint[] = []
    const consumption = queue.consume({
      prefetch: 4,
      onMessage: async (message) => {
        seen.push(message.delivery_id)
        await held
        message.finish(true)
      },
    })
    cleanUp.push(() => consumption.stop())
    const manager = await admin.jetstreamManager()
    const unacknowledged = async () => (await manager.consumers.info(stream, CONSUMER)).num_ack_pending
    await eventually(async () => expect(await unacknowledged()).toBeGreaterThan(0))
    expect(await unacknowledged()).toBeLessThanOrEqual(4)
    expect(seen).toHaveLength(1)
    letGo()
    await eventually(() => expect(seen).toHaveLength(50))
  })

  it('throws away what is no message of ours, and goes on', async () => {
    const stream = uniqueStream()
    const queue = open({ stream })
    await untilOk(queue)
    await admin.jetstream().publish(subjectOf(stream), new Uint8Array([255, 255, 255]))
    await queue.publish(due(5n, 1))
    const { ids } = collect(queue)
    await eventually(() => expect(ids).toEqual([5n]))
  })

  it('refuses when the stream is full, and takes again when there is room', async () => {
    const queue = open({ maxBytes: 5120 })
    await untilOk(queue)
    const publish = (id: bigint): Promise<void> => queue.publish(due(id, 1))
    const first = [1n, 2n, 3n, 4n, 5n, 6n, 7n, 8n, 9n, 10n]
    for (const id of first) await publish(id)
    await expect(publish(11n)).rejects.toThrow('maximum messages')
    const { ids } = collect(queue)
    await eventually(() => expect(ids).toEqual(first))
    await eventually(() => publish(12n))
    await eventually(() => expect(ids).toEqual([...first, 12n]))
  })

  it('makes a deleted stream again when it publishes', async () => {
    const stream = uniqueStream()
    const queue = open({ stream })
    await untilOk(queue)
    const manager = await admin.jetstreamManager()
    await manager.streams.delete(stream)
    await queue.publish(due(1n, 1))
    expect((await manager.streams.info(stream)).state.messages).toBe(1)
    expect((await manager.consumers.info(stream, CONSUMER)).name).toBe(CONSUMER)
  })

  it.each(['stream', 'consumer'])('goes on consuming after its %s was deleted', async (what) => {
    const stream = uniqueStream()
    const queue = open({ stream })
    await untilOk(queue)
    const { ids } = collect(queue)
    await queue.publish(due(1n, 1))
    await eventually(() => expect(ids).toEqual([1n]))
    const manager = await admin.jetstreamManager()
    if (what === 'stream') await manager.streams.delete(stream)
    else await manager.consumers.delete(stream, CONSUMER)
    await eventually(() => manager.consumers.info(stream, CONSUMER))
    await queue.publish(due(2n, 1))
    await eventually(() => expect(ids).toEqual([1n, 2n]))
  })
})

describe('the metrics of the queue', () => {
  it('say how full the stream is, against its bounds, and what was refused', async () => {
    const registry = new Registry()
    const queue = open({ maxBytes: 1024, registry })
    await untilOk(queue)
    await queue.publish(due(1n, 1))
    await queue.publish(due(2n, 1))
    await expect(queue.publish(due(3n, 1))).rejects.toThrow('maximum messages')
    const text = await registry.metrics()
    expect(text).toMatch(/^gateway_queue_up 1$/m)
    expect(text).toMatch(/^gateway_queue_messages 2$/m)
    expect(text).toMatch(/^gateway_queue_max_messages 2$/m)
    expect(text).toMatch(/^gateway_queue_bytes [1-9]\d*$/m)
    expect(text).toMatch(/^gateway_queue_max_bytes 1024$/m)
    expect(text).toMatch(/^gateway_queue_publish_failures_total\{reason="refused"\} 1$/m)
    expect(text).toMatch(/^gateway_queue_publish_failures_total\{reason="away"\} 0$/m)
  })

  it('say that NATS is away, and then nothing of the stream', async () => {
    const registry = new Registry()
    const queue = open({ natsUrl: 'nats://127.0.0.1:1', stream: 'never', registry })
    await expect(queue.publish(due(1n, 1))).rejects.toThrow('NATS is away')
    const text = await registry.metrics()
    expect(text).toMatch(/^gateway_queue_up 0$/m)
    expect(text).toMatch(/^gateway_queue_publish_failures_total\{reason="away"\} 1$/m)
    expect(text).not.toMatch(/^gateway_queue_(messages|bytes|max_messages|max_bytes) /m)
  })
})

describe('a queue whose files disappear under the running server', () => {
  it('is made anew', async () => {
    const server = await prepareNatsServer()
    cleanUp.push(() => server.drop())
    await server.start()
    const queue = open({ natsUrl: server.url, stream: 'own' })
    await untilOk(queue)
    const { ids } = collect(queue)
    await queue.publish(due(1n, 1))
    await eventually(() => expect(ids).toEqual([1n]))
    await server.forget()
    let number = 0
    await eventually(() => {
      number += 1
      return queue.publish(due(2n, number))
    })
    await eventually(() => expect(ids).toContain(2n))
  })
})

describe('a queue whose NATS is not there', () => {
  it('opens, refuses to publish, and closes', async () => {
    const queue = open({ natsUrl: 'nats://127.0.0.1:1', stream: 'never' })
    const consumption = queue.consume({ prefetch: 1, onMessage: () => Promise.resolve() })
    await expect(queue.publish(due(1n, 1))).rejects.toThrow('NATS is away')
    expect(queue.state()).toBe('away')
    await consumption.stop()
  })

  it('is there when NATS comes, goes away with it, and is made anew when NATS forgot everything', async () => {
    const server = await prepareNatsServer()
    cleanUp.push(() => server.drop())
    const queue = open({ natsUrl: server.url, stream: 'own' })
    const { ids } = collect(queue)
    expect(queue.state()).toBe('away')
    await server.start()
    await untilOk(queue)
    await queue.publish(due(1n, 1))
    await eventually(() => expect(ids).toEqual([1n]))

    await server.stop()
    await eventually(() => expect(queue.state()).toBe('away'))
    await server.forget()
    await server.start()
    await untilOk(queue)
    await queue.publish(due(2n, 1))
    await eventually(() => expect(ids).toEqual([1n, 2n]))
  })
})
