// How long a payment that is accepted now would wait for its push, by what one process can know without a count of
// rows: payments of an account are pushed in the order in which they were accepted, by whichever process. So the one
// instant "everything accepted before this is pushed", which the payment that waits longest tells, says how many of
// this process's own still wait; and how fast that number falls behind says how many of its own are pushed in a second.

/** Payments that come so close after each other share one mark, ms. */
const MARK_MS = 100

/** The first in line has waited for so long, within these, ms: all that time some waited, and the pace was Daraja's. */
const MIN_BUSY_MS = 500
const MAX_BUSY_MS = 15_000

/** So long an instant is remembered, ms: payments that wait longer are all pushed, or given up. */
const REMEMBERED_MS = 120_000

/** So many payments had been accepted when, ms, payments came that have not been marked. */
type Mark = { atMs: number; accepted: number }

/** So many payments were known to be pushed at that time, ms. */
type Seen = { atMs: number; pushed: number }

/** What is known of what this process accepted. */
export type Pace = {
  /** Payments of this process that are not pushed yet. */
  waiting: number
  /** Those that were pushed in a second, lately. */
  perSecond: number
}

export type PushPace = {
  /** One more payment is accepted. */
  accepted(nowMs: number): void
  /** True when some may not have been pushed yet. */
  hasWaiting(): boolean
  /** The payment that waits longest, of whichever process, has waited for so long; 0: none waits. */
  observe(nowMs: number, waitedMs: number): Pace
}

/** The pace of one account, as one process sees it. */
export const createPushPace = (): PushPace => {
  let marks: Mark[] = []
  let seen: Seen[] = []
  let accepted = 0
  let pushed = 0

  const acceptedBefore = (atMs: number): number => {
    const index = marks.findLastIndex((mark) => mark.atMs <= atMs)
    const mark = marks[index]
    if (mark === undefined) return marks[0]?.accepted ?? accepted
    const until = marks[index + 1]?.accepted ?? accepted
    const share = Math.min((atMs - mark.atMs) / MARK_MS, 1)
    return mark.accepted + (until - mark.accepted) * share
  }

  const perSecondSince = (sinceMs: number): number => {
    const [first, last] = [seen.find(({ atMs }) => atMs >= sinceMs), seen.at(-1)]
    if (first === undefined || last === undefined || first === last) return 0
    return ((last.pushed - first.pushed) * 1000) / (last.atMs - first.atMs)
  }

  const observe = (nowMs: number, waitedMs: number): Pace => {
    // What was taken and turned away is due later than it was accepted: what is pushed stays so.
    pushed = Math.max(pushed, waitedMs === 0 ? accepted : acceptedBefore(nowMs - waitedMs))
    marks = marks.filter(({ atMs }) => atMs > nowMs - REMEMBERED_MS)
    seen = [...seen.filter(({ atMs }) => atMs > nowMs - 2 * MAX_BUSY_MS), { atMs: nowMs, pushed }]
    const busyMs = Math.min(Math.max(waitedMs, MIN_BUSY_MS), MAX_BUSY_MS)
    // Pushes go out in rounds, as Daraja answers: the longer look may have a round more, or fewer.
    const perSecond = Math.max(perSecondSince(nowMs - busyMs), perSecondSince(nowMs - 2 * busyMs))
    return { waiting: accepted - pushed, perSecond }
  }

  return {
    accepted: (nowMs) => {
      const last = marks.at(-1)
      if (last === undefined || nowMs - last.atMs >= MARK_MS) marks.push({ atMs: nowMs, accepted })
      accepted += 1
    },
    hasWaiting: () => accepted > pushed,
    observe,
  }
}
