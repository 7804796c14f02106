import { sql } from 'kysely'
import type { Database } from '../../database/connect.ts'
import { createLookBack, instantOf, type Look, type Looked, lookedTo } from '../../database/look-back.ts'
import { isOutage } from '../../database/outage.ts'
import type { DeliveryQueue } from '../../queue/delivery-queue.ts'
import type { Log } from '../../runtime/log.ts'
import { type Loop, startLoop } from '../../runtime/loop.ts'
import { IS_FREE } from './attempts.ts'
import type { DueDelivery, FairQueue } from './fair-queue.ts'

/** How often Postgres is asked for what the queue has lost, ms. */
const IDLE_MS = 1_000

/** And for what is due, while there is no queue that says so, ms. */
const WITHOUT_QUEUE_MS = 100

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
  nowMs: () => number
  log: Log
}): Loop => {
  const { database, queue, fairQueue, log } = options
  const lostMs = options.overdueMs ?? OVERDUE_MS
  const lookBack = createLookBack(options.nowMs)
  const round = async (): Promise<boolean | number> => {
    if (!(await fairQueue.capacity())) return false
    const isQueueUp = queue?.state() === 'ok'
    const overdueMs = isQueueUp ? lostMs : 0
    const found = await findOverdue(database, {
      overdueMs,
      except: fairQueue.deliveryIds(),
      limit: BATCH,
      look: lookBack.begin(),
    })
    for (const due of found) fairQueue.add(due)
    if (found.length === BATCH) return true
    return isQueueUp ? false : WITHOUT_QUEUE_MS
  }
  return startLoop({ name: 'recover', idleMs: IDLE_MS, round, isOutage, log })
}

/**
 * At most `limit` deliveries, without the excepted, that have been due and free for longer than `overdueMs`; longest
 * first.
 */
export const findOverdue = async (
  database: Database,
  options: { limit: number; overdueMs: number; except: readonly bigint[]; look: Look },
): Promise<DueDelivery[]> => {
  const { limit, look } = options
  const until = sql<Date>`now() - make_interval(secs => ${options.overdueMs / 1000})`
  const { rows } = await sql<Looked & (DueDelivery | { delivery_id: null })>`
    WITH overdue AS (
      SELECT delivery_id, partner_id, host, due_at FROM to_deliver
      WHERE due_at BETWEEN ${instantOf(look)} AND ${until} AND ${IS_FREE}
        AND delivery_id <> ALL (${options.except}::bigint[])
      ORDER BY due_at LIMIT ${limit}
    ), looked AS (
      SELECT ${lookedTo('to_deliver', sql`CASE count(*) WHEN ${limit} THEN max(due_at) ELSE ${until} END`)} FROM overdue
    )
    SELECT looked.*, delivery_id, partner_id, host FROM looked LEFT JOIN overdue ON true
    ORDER BY due_at
  `.execute(database)
  if (rows[0]) look.ended(rows[0])
  return rows.flatMap((row) => {
    if (row.delivery_id === null) return []
    const { delivery_id, partner_id, host } = row
    return [{ delivery_id, partner_id, host }]
  })
}
