import { sql } from 'kysely'
import type { Database } from '../../database/connect.ts'
import { isOutage } from '../../database/outage.ts'
import type { DeliveryQueue } from '../../queue/delivery-queue.ts'
import type { Log } from '../../runtime/log.ts'
import { type Loop, startLoop } from '../../runtime/loop.ts'
import { IS_FREE } from './claim.ts'
import type { Offer } from './fair-queue.ts'

/** How often Postgres is asked for what nobody has told of, ms. */
const IDLE_MS = 100

/** How long something may be due while the queue is up before it counts as lost by it, ms. */
export const OVERDUE_MS = 5_000

/** Deliveries a round finds at most. */
const BATCH = 256

/**
 * Finds in Postgres what the queue did not tell: lost messages, deliveries whose `serve` died before it published them, and
 * attempts whose dispatcher died (their lease has run out). While the queue is away, or where there is none, it finds
 * everything that is due, and so carries the dispatcher alone. What it finds is offered; who of many finds it first claims it.
 */
export const startRecovering = (options: {
  database: Database
  queue: DeliveryQueue | null
  /** Takes over what was found, unless this process has it in hand already. */
  offer: (given: Offer) => unknown
  /** Resolves when more may be offered; false: not any more. */
  room: () => Promise<boolean>
  /** The deliveries that this process has in hand. */
  inHand: () => bigint[]
  overdueMs: number
  log: Log
}): Loop => {
  const round = async (): Promise<boolean> => {
    if (!(await options.room())) return false
    const overdueMs = options.queue?.state() === 'ok' ? options.overdueMs : 0
    const found = await findOverdue(options.database, { overdueMs, inHand: options.inHand(), limit: BATCH })
    for (const offer of found) options.offer(offer)
    return found.length === BATCH
  }
  return startLoop({ name: 'recover', idleMs: IDLE_MS, round, isOutage, log: options.log })
}

/** At most `limit` deliveries that have been due, and free, for longer than `overdueMs` and are not in hand; longest due first. */
export const findOverdue = async (
  database: Database,
  options: { limit: number; overdueMs: number; inHand: readonly bigint[] },
): Promise<Offer[]> => {
  const { rows } = await sql<{ delivery_id: bigint; partner_id: bigint; host: string }>`
    SELECT delivery_id, partner_id, host FROM to_deliver
    WHERE due_at <= now() - make_interval(secs => ${options.overdueMs / 1000}) AND ${IS_FREE}
      AND delivery_id <> ALL(${options.inHand}::bigint[])
    ORDER BY due_at LIMIT ${options.limit}
  `.execute(database)
  return rows.map((row) => ({ deliveryId: row.delivery_id, partnerId: row.partner_id, host: row.host }))
}
