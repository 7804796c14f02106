import { LRUCache } from 'lru-cache'
import type { Database } from '../../database/connect.ts'
import { isTestId } from '../../values/test-partner.ts'
import type { EventKey } from './cursor.ts'
import { hasEvent, type PaymentEvent, readEvents, readEventsOfPayment, readNewestKey } from './read-events.ts'
import { type EventBatch, MOST_TOGETHER } from './tail.ts'
import { eventIsLost } from './watch-stopped.ts'

/** Whose events somebody wants; null: everybody's, of real payments. */
export type EventFilter = { partnerId: bigint } | { paymentId: bigint } | null

/** What a filter lets pass of events. */
export const selectEvents = (
  events: readonly PaymentEvent[],
  filter: EventFilter,
): readonly PaymentEvent[] => {
  if (filter === null) return events.filter(({ payment }) => !isTestId(payment.partner_id))
  return 'partnerId' in filter
    ? events.filter(({ payment }) => payment.partner_id === filter.partnerId)
    : events.filter(({ payment }) => payment.id === filter.paymentId)
}

/** Events out of Postgres, of whomever: `more` says whether there may be more behind them. */
export type EventPage = EventBatch & { more: boolean }

/** Rejects with `WatchStopped` where the database has not the event `after` any more. */
export type CatchUp = (options: { after: EventKey; filter: EventFilter }) => Promise<EventPage>

/** How many pages are read at once: watchers that come back together are not to take all connections. */
const AT_ONCE = 2

/** How many pages are kept, and for how long, ms, for others who are as far behind. */
const KEPT_PAGES = 20
const KEPT_MS = 5_000

/**
 * Makes what reads events out of Postgres for one who is behind. One payment's are found by its id; a partner's are
 * looked for among all, some hundred in a page. Those who stand at the same event share one page.
 */
export const createCatchUp = (database: Database): CatchUp => {
  const pages = new LRUCache<string, EventPage>({ max: KEPT_PAGES, ttl: KEPT_MS })
  const underWay = new Map<string, Promise<EventPage>>()
  const waiting: (() => void)[] = []
  let running = 0

  const inTurn = async <Result>(work: () => Promise<Result>): Promise<Result> => {
    if (running >= AT_ONCE) await new Promise<void>((resolve) => waiting.push(resolve))
    else running += 1
    try {
      return await work()
    } finally {
      const next = waiting.shift()
      if (next === undefined) running -= 1
      else next()
    }
  }

  const readPage = async (name: string, after: EventKey): Promise<EventPage> => {
    try {
      const page = await inTurn(() => readAll(database, after))
      // Nothing is ever inserted into a page behind which there are others.
      if (page.more) pages.set(name, page)
      return page
    } finally {
      underWay.delete(name)
    }
  }

  const sharePage = (after: EventKey): EventPage | Promise<EventPage> => {
    const name = `${after.position} ${after.paymentId} ${after.number}`
    const known = pages.get(name) ?? underWay.get(name)
    if (known !== undefined) return known
    const page = readPage(name, after)
    underWay.set(name, page)
    return page
  }

  return async ({ after, filter }) =>
    filter !== null && 'paymentId' in filter
      ? inTurn(() => readPayment(database, after, filter.paymentId))
      : sharePage(after)
}

/** Positions that a full page does not divide, so that all who are behind come to share the same pages. */
const BLOCK = 64n

const readAll = async (database: Database, after: EventKey): Promise<EventPage> => {
  await requireEvent(database, after)
  const all = await readEvents(database, { after, limit: MOST_TOGETHER })
  const more = all.length === MOST_TOGETHER
  const block = (all.at(-1)?.key.position ?? 0n) / BLOCK
  const whole = more ? all.filter(({ key }) => key.position / BLOCK < block) : all
  const events = whole.length > 0 ? whole : all
  return { after, events, last: events.at(-1)?.key ?? after, more }
}

/** The newest event first: what is behind it comes with the next page, or from the tail. */
const readPayment = async (database: Database, after: EventKey, paymentId: bigint): Promise<EventPage> => {
  await requireEvent(database, after)
  const last = await readNewestKey(database)
  const events = await readEventsOfPayment(database, { paymentId, after, last })
  return { after, events, last, more: false }
}

const requireEvent = async (database: Database, key: EventKey): Promise<void> => {
  if (!(await hasEvent(database, key))) throw eventIsLost()
}
