import type { ConsumerMessages, JetStreamClient, JsMsg } from 'nats'
import type { Log } from '../runtime/log.ts'
import { startLoop } from '../runtime/loop.ts'
import { CONSUMER, type Due, decodeDue } from './delivery-stream.ts'
import type { KeptStream } from './keep-stream.ts'

export type DueMessage = Due & {
  /** It has been dealt with: it must not come again. */
  ack(): void
  /** It has not been dealt with: another dispatcher may have it at once. */
  release(): void
}

export type Consumption = {
  /** Stops pulling; resolves when the last message that had come was handed over. */
  stop(): Promise<void>
}

/** How soon a consumption that ended is begun again, ms. */
const RETRY_MS = 50

/** How long a pull lasts, and how often the server sends a heartbeat; two missed ones mean that the consumer is gone, ms. */
const PULL_MS = 5_000
const HEARTBEAT_MS = 1_000

/**
 * Takes messages until it is stopped, and begins again by itself after every loss: of the connection, the stream or the
 * consumer. At most `prefetch` messages wait in this process. `onMessage` takes one over; the next follows when it resolves.
 */
export const consumeDue = (options: {
  stream: KeptStream
  prefetch: number
  onMessage: (message: DueMessage) => Promise<void>
  log: Log
}): Consumption => {
  let messages: ConsumerMessages | null = null
  let isStopping = false

  const consume = async (client: JetStreamClient): Promise<void> => {
    const consumer = await client.consumers.get(options.stream.name, CONSUMER)
    messages = await consumer.consume({
      max_messages: options.prefetch,
      threshold_messages: Math.ceil(options.prefetch / 2),
      expires: PULL_MS,
      idle_heartbeat: HEARTBEAT_MS,
      // Without it the client waits without end for a consumer that is not created again.
      abort_on_missing_resource: true,
    })
    if (isStopping) messages.stop()
    for await (const message of messages) await handOver(message, options)
  }

  const loop = startLoop({
    name: 'consume',
    idleMs: RETRY_MS,
    round: async () => {
      const client = options.stream.jetstream()
      if (options.stream.state() !== 'ok' || client === null) return false
      try {
        await consume(client)
      } finally {
        messages = null
        options.stream.lost()
      }
      return false
    },
    isOutage: () => true,
    log: options.log,
  })

  const stop = (): Promise<void> => {
    isStopping = true
    messages?.stop()
    return loop.stop()
  }
  return { stop }
}

const handOver = async (
  message: JsMsg,
  options: { onMessage: (message: DueMessage) => Promise<void>; log: Log },
): Promise<void> => {
  const due = decodeDue(message.data)
  if (due === null) {
    options.log.error({ event: 'queue_message_unreadable', sequence: message.seq })
    message.term()
    return
  }
  const dueMessage = { ...due, ack: () => message.ack(), release: () => message.nak() }
  await options.onMessage(dueMessage)
}
