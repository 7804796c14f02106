import { ErrorCode, NatsError } from 'nats'
import type { Log } from '../runtime/log.ts'
import { type Consumption, consumeDue, type DueMessage } from './consume-due.ts'
import { DEFAULT_MAX_BYTES, type Due, encodeDue, messageIdOf, subjectOf } from './delivery-stream.ts'
import { ANSWER_MS, type KeptStream, keepStream, QueueAway, type QueueState } from './keep-stream.ts'

/**
 * The fast way from "a delivery is due" to a dispatcher: a JetStream work queue. It may be away, full or forgetful at any
 * moment; nothing that matters is only here. How it is set up, and why: delivery-stream.ts.
 */
export type DeliveryQueue = {
  state(): QueueState
  /**
   * Says that a delivery is due. Resolves when JetStream has stored it. Rejects when it is away, full, or did not answer in
   * time: then it is unknown whether the message is stored, and it must be published again under the next number.
   */
  publish(due: Due): Promise<void>
  /** Takes messages, at most `prefetch` at hand, until it is stopped; goes on by itself after every loss. */
  consume(options: {
    prefetch: number
    /** Takes over one message; the next follows when it resolves. Must not reject. */
    onMessage: (message: DueMessage) => Promise<void>
  }): Consumption
  close(): Promise<void>
}

/**
 * Opens the queue and returns at once; it becomes `ok` when NATS answers. `stream` names the stream and its subject, `name`
 * this process among NATS's connections.
 */
export const openDeliveryQueue = (options: {
  natsUrl: string
  stream: string
  name: string
  log: Log
  maxBytes?: number
}): DeliveryQueue => {
  const { natsUrl, name, log, maxBytes = DEFAULT_MAX_BYTES } = options
  const stream = keepStream({ natsUrl, stream: options.stream, name, maxBytes, log })
  return {
    state: () => stream.state(),
    publish: (due) => publishDue(stream, due),
    consume: ({ prefetch, onMessage }) => consumeDue({ stream, prefetch, onMessage, log }),
    close: () => stream.close(),
  }
}

/** Thrown when JetStream said no, with its reason: the stream is full, as a rule. The message is certainly not stored. */
export class QueueRefused extends Error {
  override name = 'QueueRefused'
}

/**
 * Says that a delivery is due; resolves when JetStream has stored it. A missing stream is made, and the message sent once
 * more. Rejects with `QueueAway` or `QueueRefused`, or when no answer came in time, and then nobody knows.
 */
const publishDue = async (stream: KeptStream, due: Due): Promise<void> => {
  try {
    await publishOnce(stream, due)
  } catch (error) {
    if (isBroken(error)) stream.broken()
    if (!isMissing(error)) throw error
    stream.lost()
    await stream.ensure()
    await publishOnce(stream, due)
  }
}

const publishOnce = async (stream: KeptStream, due: Due): Promise<void> => {
  const client = stream.jetstream()
  // The client would keep the message until it is connected again, long after its caller gave it up.
  if (client === null) throw new QueueAway()
  await client
    .publish(subjectOf(stream.name), encodeDue(due), { msgID: messageIdOf(due), timeout: ANSWER_MS })
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
