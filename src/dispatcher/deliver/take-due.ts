import { sql } from 'kysely'
import type { Database } from '../../database/connect.ts'
import { isOutage } from '../../database/outage.ts'
import type { Consumption, DeliveryQueue } from '../../queue/delivery-queue.ts'
import { crashPoint } from '../../runtime/crash-point.ts'
import type { Log } from '../../runtime/log.ts'
import { type Loop, startLoop } from '../../runtime/loop.ts'
import { IS_FREE } from './claim.ts'
import type { DueDelivery, FairQueue } from './fair-queue.ts'

// What is due comes from two sides: from the queue, and from Postgres what the queue lost. Both add it to the fair
// queue.

/** Messages that wait in this process before they are added: another dispatcher may be idle. */
const MAX_PREFETCH = 64

/**
 * Takes from the queue what is due. A message is acknowledged when its attempt is recorded, when the delivery is held,
 * or when there was nothing to attempt: the delivery is gone, not due or another's, and Postgres knows its next time.
 * It is released when nothing is started any more, or when the attempt failed for a reason of ours.
 */
export const takeFromQueue = (options: {
  queue: DeliveryQueue
  fairQueue: FairQueue
  concurrency: number
}): Consumption =>
  options.queue.consume({
    prefetch: Math.min(options.concurrency, MAX_PREFETCH),
    onMessage: async (message) => {
      const finish = (isDone: boolean): void => {
        if (!isDone) return message.release()
        crashPoint('due.before_ack')
        message.ack()
        crashPoint('due.after_ack')
      }
      await options.fairQueue.capacity()
      const { deliveryId, partnerId, host } = message
      const answer = options.fairQueue.add({ deliveryId, partnerId, host, finish })
      // This process has a duplicate already: it needs no second message to be attempted.
      if (answer !== 'accepted') finish(answer === 'duplicate')
    },
  })

/** How often Postgres is asked for what the queue has not delivered, ms. */
const IDLE_MS = 100

/** How long something may be due while the queue is up before it counts as lost by it, ms. */
export const OVERDUE_MS = 5_000

/** Deliveries that a round finds at most. */
const BATCH = 256

/**
 * Finds in Postgres what the queue did not deliver: lost messages, deliveries whose `serve` died before it published
 * them, and attempts whose dispatcher died (their lease has run out). While the queue is away, or where there is none,
 * it finds everything that is due, and so carries the dispatcher alone. Of many dispatchers, the first that finds a
 * delivery claims it.
 */
export const takeFromPostgres = (options: {
  database: Database
  queue: DeliveryQueue | null
  fairQueue: FairQueue
  overdueMs: number
  log: Log
}): Loop => {
  const { database, queue, fairQueue, log } = options
  const round = async (): Promise<boolean> => {
    if (!(await fairQueue.capacity())) return false
    const overdueMs = queue?.state() === 'ok' ? options.overdueMs : 0
    const found = await findOverdue(database, { overdueMs, except: fairQueue.deliveryIds(), limit: BATCH })
    for (const due of found) fairQueue.add(due)
    return found.length === BATCH
  }
  return startLoop({ name: 'recover', idleMs: IDLE_MS, round, isOutage, log })
}

/**
 * At most `limit` deliveries, without the excepted, that have been due and free for longer than `overdueMs`; longest
 * first.
 */
export const findOverdue = async (
  database: Database,
  options: { limit: number; overdueMs: number; except: readonly bigint[] },
): Promise<DueDelivery[]> => {
  return database
    .selectFrom('to_deliver')
    .select(['delivery_id as deliveryId', 'partner_id as partnerId', 'host'])
    .where('due_at', '<=', sql<Date>`now() - make_interval(secs => ${options.overdueMs / 1000})`)
    .where(IS_FREE)
    .where('delivery_id', '<>', sql<bigint>`ALL(${options.except}::bigint[])`)
    .orderBy('due_at')
    .limit(options.limit)
    .execute()
}
