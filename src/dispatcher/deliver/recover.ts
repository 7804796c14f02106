import { sql } from 'kysely'
import type { Database } from '../../database/connect.ts'
import { isOutage } from '../../database/outage.ts'
import type { DeliveryQueue } from '../../queue/delivery-queue.ts'
import type { Log } from '../../runtime/log.ts'
import { type Loop, startLoop } from '../../runtime/loop.ts'
import { IS_FREE } from './attempts.ts'
import type { DueDelivery, FairQueue } from './fair-queue.ts'

/** How often Postgres is asked for what the queue has not delivered, ms. */
const IDLE_MS = 100

/** How long something may be due while the queue is up before it counts as lost by it, ms. */
const OVERDUE_MS = 5_000

/** Deliveries that a round finds at most. */
const BATCH = 256

/**
 * Finds in Postgres what the queue did not deliver: lost messages, deliveries whose `serve` died before it published
 * them, and attempts whose dispatcher died (their lease has run out). While the queue is away, or where there is none,
 * it finds everything that is due, and so carries the dispatcher alone. Of many dispatchers, the first that finds a
 * delivery claims it.
 */
export const startRecovering = (options: {
  database: Database
  queue: DeliveryQueue | null
  fairQueue: FairQueue
  overdueMs: number | undefined
  log: Log
}): Loop => {
  const { database, queue, fairQueue, log } = options
  const lostMs = options.overdueMs ?? OVERDUE_MS
  const round = async (): Promise<boolean> => {
    if (!(await fairQueue.capacity())) return false
    const overdueMs = queue?.state() === 'ok' ? lostMs : 0
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
    .select(['delivery_id', 'partner_id', 'host'])
    .where('due_at', '<=', sql<Date>`now() - make_interval(secs => ${options.overdueMs / 1000})`)
    .where(IS_FREE)
    .where('delivery_id', '<>', sql<bigint>`ALL(${options.except}::bigint[])`)
    .orderBy('due_at')
    .limit(options.limit)
    .execute()
}
