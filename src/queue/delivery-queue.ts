import type { Log } from '../runtime/log.ts'
import { type Consumption, consumeDue, type DueMessage } from './consume-due.ts'
import { DEFAULT_MAX_BYTES } from './delivery-stream.ts'
import type { Due } from './due-message.ts'
import { keepStream, type QueueState } from './keep-stream.ts'
import { publishDue } from './publish-due.ts'

/**
 * The fast way from "a delivery is due" to a dispatcher: a JetStream work queue. It may be away, full or forgetful at any
 * moment; nothing that matters is only here. delivery-stream.ts tells how it is set up, and why.
 */
export type DeliveryQueue = {
  state(): QueueState
  /**
   * Says that a delivery is due. Resolves when JetStream has stored it. Rejects when it is away, full, or did not answer in
   * time: then it is unknown whether the message is stored, and it must be said again under the next number.
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
  const stream = keepStream({ ...options, maxBytes: options.maxBytes ?? DEFAULT_MAX_BYTES })
  return {
    state: () => stream.state(),
    publish: (due) => publishDue(stream, due),
    consume: (consumption) => consumeDue({ ...consumption, stream, log: options.log }),
    close: () => stream.close(),
  }
}
