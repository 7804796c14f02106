import { type ConsumerMessages, ErrorCode, type JetStreamClient, type JsMsg, NatsError } from 'nats'
import type { Registry } from 'prom-client'
import { createBatcher } from '../runtime/batch.ts'
import { crashPoint } from '../runtime/crash-point.ts'
import type { Log } from '../runtime/log.ts'
import { startLoop } from '../runtime/loop.ts'
import {
  CONSUMER,
  DEFAULT_MAX_BYTES,
  type Due,
  type DueMessage,
  decodeDue,
  encodeDue,
  inMessages,
  messageIdOf,
  subjectOf,
} from './delivery-stream.ts'
import { ANSWER_MS, type KeptStream, keepStream, QueueAway, type QueueState } from './keep-stream.ts'
import { createQueueMetrics, type PublishFailure, type QueueMetrics } from './metrics.ts'

export type Consumption = {
  /** Stops pulling; resolves when the last message that had come was handed over. */
  stop(): Promise<void>
}

/**
 * The fast way from "a delivery is due" to a dispatcher: a JetStream work queue. It may be away, full or forgetful at
 * any moment; nothing that matters is only here. How it is set up, and why: delivery-stream.ts.
 */
export type DeliveryQueue = {
  state(): QueueState
  /**
   * Says that a delivery is due, in one message with others that are published in the same tick. Resolves when
   * JetStream has stored it. Rejects when it is away, full, or did not answer in time: then it is unknown whether the
   * message is stored, and it must be published again under the next number.
   */
  publish(due: Due): Promise<void>
  /** Takes messages, at most `prefetch` unacknowledged, until it is stopped; resumes by itself after every loss. */
  consume(options: {
    prefetch: number
    /** Takes over one message; the next follows when it resolves. Must not reject. */
    onMessage: (message: DueMessage) => Promise<void>
  }): Consumption
  close(): Promise<void>
}

/**
 * Opens the queue and returns at once; it becomes `ok` when NATS answers. `stream` names the stream and its subject,
 * `name` this process among NATS's connections.
 */
export const openDeliveryQueue = (options: {
  natsUrl: string
  stream: string
  name: string
  log: Log
  maxBytes?: number
  /** How many servers keep the stream at least; 1 when left out. */
  replicas?: number
  /** Where it is shown how NATS does; left out: nowhere. */
  registry?: Registry
}): DeliveryQueue => {
  const { natsUrl, name, log, registry, maxBytes = DEFAULT_MAX_BYTES, replicas = 1 } = options
  const stream = keepStream({ natsUrl, stream: options.stream, name, maxBytes, replicas, log })
  const metrics = registry && createQueueMetrics(registry, stream)
  return {
    state: () => stream.state(),
    publish: createPublish(stream, metrics),
    consume: ({ prefetch, onMessage }) => consumeDue({ stream, prefetch, onMessage, log }),
    close: () => stream.close(),
  }
}

/**
 * Thrown when JetStream said no, with its reason: the stream is full, as a rule. The message is certainly not stored.
 */
export class QueueRefused extends Error {
  override name = 'QueueRefused'
}

/** Messages are as many as there are to send: what bounds them is how many deliveries are published at once. */
const createPublish = (stream: KeptStream, metrics: QueueMetrics | undefined): DeliveryQueue['publish'] => {
  const batcher = createBatcher<Due, undefined>({
    maxItems: MOST_DUES,
    maxRunning: Number.POSITIVE_INFINITY,
    maxWaiting: Number.POSITIVE_INFINITY,
    run: async (dues) => {
      const messages = inMessages(dues)
      const outcomes = await Promise.allSettled(messages.map((message) => publishMessage(stream, message)))
      return outcomes.flatMap((outcome, index) => {
        if (outcome.status === 'rejected') metrics?.notPublished(failureOf(outcome.reason))
        const result = outcome.status === 'fulfilled' ? undefined : toError(outcome.reason)
        return (messages[index] ?? []).map(() => result)
      })
    },
  })
  return (due) => batcher.add(due)
}

const failureOf = (error: unknown): PublishFailure => {
  if (error instanceof QueueAway) return 'away'
  return error instanceof QueueRefused ? 'refused' : 'unanswered'
}

/** Deliveries that are put into messages together at most. */
const MOST_DUES = 1_000

const toError = (reason: unknown): Error => (reason instanceof Error ? reason : new Error(String(reason)))

type Message = readonly [Due, ...Due[]]

/**
 * Says that deliveries are due; resolves when JetStream has stored the message. A missing stream is made, and the
 * message sent once more. Rejects with `QueueAway` or `QueueRefused`, or when no answer came in time, and then nobody
 * knows.
 */
const publishMessage = async (stream: KeptStream, message: Message): Promise<void> => {
  try {
    await publishOnce(stream, message)
  } catch (error) {
    if (isBroken(error)) stream.broken()
    if (!isMissing(error)) throw error
    stream.lost()
    await stream.ensure()
    await publishOnce(stream, message)
  }
}

const publishOnce = async (stream: KeptStream, message: Message): Promise<void> => {
  const client = stream.jetstream()
  // The client would keep the message until it is connected again, long after its caller gave it up.
  if (client === null) throw new QueueAway()
  await client
    .publish(subjectOf(stream.name), encodeDue(message), { msgID: messageIdOf(message), timeout: ANSWER_MS })
    .catch(refusal)
}

const refusal = (error: unknown): never => {
  if (error instanceof NatsError && error.api_error !== undefined)
    throw new QueueRefused(error.api_error.description, { cause: error })
  throw error
}

/** The server has the stream, but its files are gone: it will refuse everything until the stream is made anew. */
const isBroken = (error: unknown): boolean =>
  error instanceof QueueRefused && /no such file or directory|error opening msg block/i.test(error.message)

/** Nobody listens on the subject: the stream is gone, and so the message is certainly not stored. */
const isMissing = (error: unknown): boolean =>
  error instanceof NatsError && error.code === ErrorCode.NoResponders.toString()

/** How soon a consumption that ended is begun again, ms. */
const RETRY_MS = 50

/**
 * How long a pull lasts, and how often the server sends a heartbeat; two missed ones mean that the consumer is gone,
 * ms.
 */
const PULL_MS = 5_000
const HEARTBEAT_MS = 1_000

/**
 * Takes messages until it is stopped, and begins again by itself after every loss: of the connection, the stream or the
 * consumer. At most `prefetch` messages wait in this process. `onMessage` takes one over; the next follows when it
 * resolves.
 */
const consumeDue = (options: {
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
  const dues = decodeDue(message.data)
  if (dues.length === 0) {
    options.log.error({ event: 'queue_message_unreadable', sequence: message.seq })
    message.term()
    return
  }
  let left = dues.length
  let areDone = true
  // Acknowledged once the last of its deliveries has been dealt with; else all come again, and those done are done.
  const finish = (isDone: boolean): void => {
    left -= 1
    areDone &&= isDone
    if (left > 0) return
    if (!areDone) return message.nak()
    crashPoint('due.before_ack')
    message.ack()
    crashPoint('due.after_ack')
  }
  for (const due of dues) {
    const dueMessage: DueMessage = { ...due, finish }
    await options.onMessage(dueMessage)
  }
}
