import type { Consumption } from '../../queue/consume-due.ts'
import type { DeliveryQueue } from '../../queue/delivery-queue.ts'
import { crashPoint } from '../../runtime/crash-point.ts'
import type { FairQueue } from './fair-queue.ts'
import type { Work } from './schedule-attempts.ts'

/** Messages that wait in this process before they are offered: another dispatcher may be idle. */
const MAX_PREFETCH = 64

/**
 * Takes from the queue what is due and offers it. A message is acknowledged when its attempt is recorded, when the delivery is
 * held, or when there was nothing to attempt: the delivery is gone, not due or another's, and Postgres knows its next time. It
 * is let go when nothing is started any more, or when the attempt failed for a reason of ours.
 */
export const startConsuming = (options: {
  queue: DeliveryQueue
  turns: Pick<FairQueue<Work>, 'offer' | 'room'>
  concurrency: number
}): Consumption =>
  options.queue.consume({
    prefetch: Math.min(options.concurrency, MAX_PREFETCH),
    onMessage: async (message) => {
      const end = (isDone: boolean): void => {
        if (!isDone) return message.release()
        crashPoint('due.before_ack')
        message.ack()
        crashPoint('due.after_ack')
      }
      await options.turns.room()
      const { deliveryId, partnerId, host } = message
      const answer = options.turns.offer({ deliveryId, partnerId, host, end })
      // One that is in hand is told of twice: it needs no second message to be attempted.
      if (answer !== 'taken') end(answer === 'in_hand')
    },
  })
