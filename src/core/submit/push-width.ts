// How many pushes of an account may be under way at once follows what Daraja bears, as the window of a TCP connection
// follows a network: it grows by the same with each round of answers that are good, and is halved when Daraja turns the
// account away, becomes slow or answers so that nobody knows what happened. A round is as many answers as may be under
// way, so both go at Daraja's own pace.

/** The ceiling's parts: where it begins, its floor, and what a good round adds. */
const BEGINS_AT = 1 / 4
const FLOOR = 1 / 64
const STEP = 1 / 16

/** Markedly slower: this many times what is usual, and so much beside, ms, for nobody minds twice a few milliseconds. */
const SLOWER_TIMES = 2
const SLOWER_BY_MS = 250

/** How much of the usual time is that of the last round. */
const LAST_ROUND = 1 / 8

/** A part of a round's answers that may be unknown for other reasons than Daraja's load. */
const UNKNOWN_PART = 1 / 10

type Answer = {
  tookMs: number
  /**
   * `unknown`: nobody knows whether it was processed: a failure inside Daraja, or no answer. `turned_away`: counts as
   * the hold that it brings, once for all that are.
   */
  kind: 'good' | 'unknown' | 'turned_away'
}

export type PushWidth = {
  now(): number
  /** A push goes out, and its answer came. */
  sent(): void
  answered(answer: Answer): void
  /** The account has so many holds in a row behind it. */
  held(recentHolds: number): void
}

/** The width of one account; `ceiling`: pushes at the most. */
export const createPushWidth = (ceiling: number): PushWidth => {
  const floor = Math.max(1, ceiling * FLOOR)
  const step = Math.max(1, ceiling * STEP)
  let width = Math.max(1, ceiling * BEGINS_AT)
  let unanswered = 0
  let usualMs: number | null = null
  let knownHolds = 0
  let round = newRound(0)

  const now = (): number => Math.floor(width)

  const halve = (times: number): void => {
    width = Math.max(floor, width / 2 ** times)
    round = newRound(unanswered)
  }

  const endRound = (): void => {
    const { answers, tookMs, unknown, mostUnderWay } = round
    const meanMs = tookMs / answers
    const isSlow = usualMs !== null && meanMs > usualMs * SLOWER_TIMES + SLOWER_BY_MS
    usualMs = usualMs === null ? meanMs : usualMs + (meanMs - usualMs) * LAST_ROUND
    if (isSlow || unknown > answers * UNKNOWN_PART) return halve(1)
    if (mostUnderWay >= now() / 2) width = Math.min(ceiling, width + step)
    round = newRound(0)
  }

  const sent = (): void => {
    unanswered += 1
  }

  const answered = ({ tookMs, kind }: Answer): void => {
    const underWay = unanswered
    unanswered -= 1
    // Sent before the width was halved.
    if (round.toSkip > 0) {
      round.toSkip -= 1
      return
    }
    if (kind === 'turned_away') return
    round.answers += 1
    round.tookMs += tookMs
    round.unknown += kind === 'unknown' ? 1 : 0
    round.mostUnderWay = Math.max(round.mostUnderWay, underWay)
    if (round.answers >= now()) endRound()
  }

  const held = (recentHolds: number): void => {
    if (recentHolds > knownHolds) halve(recentHolds - knownHolds)
    knownHolds = recentHolds
  }

  return { now, sent, answered, held }
}

const newRound = (toSkip: number) => ({ toSkip, answers: 0, tookMs: 0, unknown: 0, mostUnderWay: 0 })
