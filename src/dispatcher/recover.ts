import type { Database } from '../database/connect.ts'
import { isOutage } from '../database/outage.ts'
import type { DeliveryQueue } from '../queue/delivery-queue.ts'
import type { Log } from '../runtime/log.ts'
import { type Loop, startLoop } from '../runtime/loop.ts'
import { type Claim, claimOverdue } from './claim.ts'
import type { Slots } from './slots.ts'

/** How often Postgres is asked for what nobody has told of, ms. */
const IDLE_MS = 100

/** How long something may be due while the queue is up before it counts as lost by it, ms. */
export const OVERDUE_MS = 5_000

/** Claims a round makes at most. */
const BATCH = 256

/**
 * Finds in Postgres what the queue did not tell: lost messages, deliveries whose `serve` died before it published them, and
 * attempts whose dispatcher died (their lease has run out). While the queue is away, or where there is none, it finds
 * everything that is due, and so carries the dispatcher alone.
 */
export const startRecovering = (options: {
  database: Database
  queue: DeliveryQueue | null
  slots: Slots
  /** Resolves when the attempt was dealt with; must not reject. */
  deliver: (claim: Claim) => Promise<unknown>
  overdueMs: number
  log: Log
}): Loop => {
  let isShort = false

  const start = (claim: Claim): void => {
    void options.deliver(claim).then(() => {
      options.slots.give(1)
      if (isShort) loop.wake()
    })
  }

  const round = async (): Promise<boolean> => {
    const room = options.slots.takeUpTo(BATCH)
    isShort = room === 0
    if (room === 0) return false
    const overdueMs = options.queue?.state() === 'ok' ? options.overdueMs : 0
    const claims = await claimOverdue(options.database, { limit: room, overdueMs }).catch(
      (error: unknown) => {
        options.slots.give(room)
        throw error
      },
    )
    options.slots.give(room - claims.length)
    for (const claim of claims) start(claim)
    isShort = claims.length === room
    return isShort
  }

  const loop = startLoop({ name: 'recover', idleMs: IDLE_MS, round, isOutage, log: options.log })
  return loop
}
