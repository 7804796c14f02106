import type { Consumption } from '../queue/consume-due.ts'
import type { DeliveryQueue } from '../queue/delivery-queue.ts'
import { crashPoint } from '../runtime/crash-point.ts'
import type { Slots } from './slots.ts'

/** Messages that wait in this process beside those under way: another dispatcher may be idle. */
const MAX_PREFETCH = 64

/**
 * Takes from the queue what is due, a message when there is a place for it. A message is acknowledged when its attempt is
 * recorded, or when there was nothing to attempt: the delivery is gone, not due or another's, and Postgres knows its next
 * time. It is let go when there are no places any more, or when `deliver` failed.
 */
export const startConsuming = (options: {
  queue: DeliveryQueue
  slots: Slots
  concurrency: number
  /** Resolves with whether the delivery was dealt with; must not reject. */
  deliver: (deliveryId: bigint) => Promise<boolean>
}): Consumption =>
  options.queue.consume({
    prefetch: Math.min(options.concurrency, MAX_PREFETCH),
    onMessage: async (message) => {
      if (!(await options.slots.take())) return message.release()
      void options.deliver(message.deliveryId).then((isDone) => {
        options.slots.give(1)
        if (!isDone) return message.release()
        crashPoint('due.before_ack')
        message.ack()
        crashPoint('due.after_ack')
      })
    },
  })
