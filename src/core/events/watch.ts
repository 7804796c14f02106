import { createBell } from './bell.ts'
import { type CatchUp, type EventFilter, selectEvents } from './catch-up.ts'
import { compareKeys, type EventKey } from './cursor.ts'
import type { PaymentEvent } from './read-events.ts'
import type { EventBatch, EventTail } from './tail.ts'
import { eventIsLost, WatchStopped } from './watch-stopped.ts'

/** What a watcher gets: events, or none as a sign of life. `last` is how far it has got. */
export type Watched = {
  events: readonly PaymentEvent[]
  last: EventKey
  /** The batch of which these are all that the filter lets pass: the same for everybody with the filter. */
  batch: EventBatch | null
}

/**
 * Yields every event behind `after` that the filter lets pass, once and in order, from the events that the process
 * keeps, and from Postgres while the watcher is behind these; nothing is taken before the last was dealt with. At first,
 * and at least every `heartbeatMs`, it yields without events. Throws what `check` throws, which is called every
 * `checkMs`, the signal's reason once that is aborted, and `WatchStopped` where the process stops or the database lost
 * what was read of it.
 */
export async function* watchEvents(options: {
  tail: EventTail
  catchUp: CatchUp
  filter: EventFilter
  after: EventKey
  heartbeatMs: number
  checkMs: number
  /** Looks whether the watcher still may. */
  check: () => Promise<void>
  signal: AbortSignal
  nowMs: () => number
}): AsyncGenerator<Watched, never> {
  const { tail, filter, signal, nowMs } = options
  const bell = createBell()
  const leave = tail.join(bell)
  const losses = tail.losses()
  signal.addEventListener('abort', bell.ring)
  let key = options.after
  let beatAtMs = Number.NEGATIVE_INFINITY
  let checkAtMs = nowMs() + options.checkMs
  try {
    for (;;) {
      signal.throwIfAborted()
      if (tail.isClosed()) throw new WatchStopped('the gateway is stopping')
      if (tail.losses() !== losses) throw eventIsLost()
      if (nowMs() >= checkAtMs) {
        await options.check()
        checkAtMs = nowMs() + options.checkMs
      }
      if (nowMs() >= beatAtMs) {
        yield { events: [], last: key, batch: null }
        beatAtMs = nowMs() + options.heartbeatMs
      }
      const batch = tail.batchAfter(key)
      const news = batch === 'behind' ? await options.catchUp({ after: key, filter }) : batch
      if (news !== null) {
        const isWhole = compareKeys(news.after, key) === 0
        const events = eventsBehind(news.events, key, filter)
        key = news.last
        if (events.length > 0) {
          yield { events, last: key, batch: isWhole ? news : null }
          beatAtMs = nowMs() + options.heartbeatMs
        }
      }
      if (news === null) await bell.wait(Math.min(beatAtMs, checkAtMs) - nowMs())
    }
  } finally {
    signal.removeEventListener('abort', bell.ring)
    leave()
  }
}

const eventsBehind = (
  events: readonly PaymentEvent[],
  key: EventKey,
  filter: EventFilter,
): readonly PaymentEvent[] => {
  const first = events.findIndex((event) => compareKeys(event.key, key) > 0)
  return first === -1 ? [] : selectEvents(first === 0 ? events : events.slice(first), filter)
}
