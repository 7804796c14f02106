import type { Database } from '../../database/connect.ts'
import { isOutage } from '../../database/outage.ts'
import type { Log } from '../../runtime/log.ts'
import { type Loop, startLoop } from '../../runtime/loop.ts'
import type { Bell } from './bell.ts'
import { compareKeys, type EventKey } from './cursor.ts'
import { hasEvent, type PaymentEvent, readEvents, readNewestKey } from './read-events.ts'

/** Events that were read together: all that stand behind `after`, up to `last`. */
export type EventBatch = { after: EventKey; last: EventKey; events: readonly PaymentEvent[] }

/**
 * The newest events of all payments, read once for all watchers of a process. While nobody watches nothing is read, and
 * nothing is kept.
 */
export type EventTail = {
  /** Rings the bell of a watcher at each batch, until what is returned is called. */
  join(bell: Bell): () => void
  /** The first batch with events behind `key`; null: there is none yet; `behind`: they are not kept here any more. */
  batchAfter(key: EventKey): EventBatch | 'behind' | null
  watchers(): number
  /** How often the database turned out to lack the last event that was read: who watched before it did is to end. */
  losses(): number
  /** Says that this process stops: rings every bell, for the last time. */
  close(): void
  isClosed(): boolean
  /** Starts to read, once the database has the schema of this release. */
  start(): Loop
}

/** How long after a batch the next is read, and how long when there was nothing for a while, ms. */
const SOON_MS = 100
const QUIET_MS = 500

/** A pause grows by so much while nothing comes. */
const GROWTH = 1.5

/** How many events are read together: what the largest fill is far below what clients of gRPC take, 4 MiB. */
export const MOST_TOGETHER = 500

/** How many events are kept for watchers that are not quick: some ten seconds of a busy gateway, 10 to 20 MB. */
const KEPT_EVENTS = 10_000

/** The newest batches, of at most so many events together. */
const createKept = (mostEvents: number) => {
  let batches: EventBatch[] = []
  let events = 0
  return {
    add: (batch: EventBatch): void => {
      batches.push(batch)
      events += batch.events.length
      while (events > mostEvents) events -= batches.shift()?.events.length ?? events
    },
    after: (key: EventKey): EventBatch | 'behind' =>
      batches.findLast(({ after }) => compareKeys(after, key) <= 0) ?? 'behind',
    forget: (): void => {
      batches = []
      events = 0
    },
  }
}

export const createEventTail = (options: {
  database: Database
  log: Log
  keptEvents?: number
}): EventTail => {
  const { database, log, keptEvents = KEPT_EVENTS } = options
  const bells = new Set<Bell>()
  const kept = createKept(keptEvents)
  /** The last event that was read; null: nothing was read since somebody watches. */
  let head: EventKey | null = null
  let pauseMs = SOON_MS
  let loop: Loop | null = null
  let isClosed = false
  let losses = 0

  const ringAll = (): void => {
    for (const bell of bells) bell.ring()
  }

  const forget = (): void => {
    kept.forget()
    head = null
  }

  const round = async (): Promise<boolean | number> => {
    if (bells.size === 0) {
      forget()
      return false
    }
    if (head !== null && !(await hasEvent(database, head))) {
      forget()
      losses += 1
      ringAll()
    }
    const after: EventKey = head ?? (await readNewestKey(database))
    // Now it is known who is behind.
    if (head === null) ringAll()
    head = after
    const events = await readEvents(database, { after, limit: MOST_TOGETHER })
    const last = events.at(-1)?.key
    if (last === undefined) {
      pauseMs = Math.min(pauseMs * GROWTH, QUIET_MS)
      return pauseMs
    }
    kept.add({ after, last, events })
    head = last
    ringAll()
    pauseMs = SOON_MS
    return events.length === MOST_TOGETHER || pauseMs
  }

  return {
    join: (bell) => {
      bells.add(bell)
      if (bells.size === 1) loop?.wake()
      return () => void bells.delete(bell)
    },
    batchAfter: (key) => (head === null || compareKeys(key, head) >= 0 ? null : kept.after(key)),
    watchers: () => bells.size,
    losses: () => losses,
    close: () => {
      isClosed = true
      ringAll()
    },
    isClosed: () => isClosed,
    start: () => {
      loop = startLoop({ name: 'events', idleMs: IDLE_MS, round, isOutage, log })
      return loop
    },
  }
}

/** How often it is looked whether somebody watches, ms: whoever begins to, wakes the loop. */
const IDLE_MS = 60_000
