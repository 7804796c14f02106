// What protects a payer from one partner. A prompt takes over the phone, so a partner may not ask for a second one
// while one is open, nor again and again. Counted for each partner by itself: if one partner's prompts counted for
// another, it could keep that one from its payers, and would learn of payments that are none of its business.

/** How often a payer may be asked; null: without limit. */
export type PayerLimits = {
  /** Payments of one partner that may be open for one phone. */
  openPrompts: number | null
  /** Payments of one partner for one phone in an hour. */
  promptsPerHour: number | null
}

/** What holds for one request beside what its fields must be. */
export type AcceptLimits = PayerLimits & { maxDailyKes: number | null }

/** Why a request is not accepted now, and when it may be. */
export type LimitReached = {
  kind: 'limited'
  reason: 'payer_open' | 'payer_hourly' | 'partner_daily'
  waitSeconds: number
}

/** A payment that was asked for lately; ms since 1970. */
export type RecentPrompt = { id: number; atMs: number }

/** What is known before a request is looked at. */
export type LimitState = {
  nowMs: number
  /** Of the partner and the phone, within the hour, oldest first. */
  recent: readonly RecentPrompt[]
  /** How many of these are open. */
  open: number
  /** What the partner has asked for today. */
  askedKes: number
  secondsLeftToday: number
}

const HOUR_MS = 3_600_000

/** When to ask again after an open prompt, seconds: most payers have answered by then. */
const OPEN_WAIT_SECONDS = 15

/** Decides whether a payment of `amountKes` is accepted; null: it is. Pure. */
export const judgeLimits = (
  limits: AcceptLimits,
  state: LimitState,
  amountKes: number,
): LimitReached | null => {
  const { openPrompts, promptsPerHour, maxDailyKes } = limits
  if (openPrompts !== null && state.open >= openPrompts) return reached('payer_open', OPEN_WAIT_SECONDS)
  const oldestThatCounts = promptsPerHour === null ? undefined : state.recent.at(-promptsPerHour)
  if (oldestThatCounts !== undefined) {
    const waitMs = oldestThatCounts.atMs + HOUR_MS - state.nowMs
    if (waitMs > 0) return reached('payer_hourly', Math.ceil(waitMs / 1000))
  }
  if (maxDailyKes !== null && state.askedKes + amountKes > maxDailyKes) {
    return reached('partner_daily', state.secondsLeftToday)
  }
  return null
}

const reached = (reason: LimitReached['reason'], waitSeconds: number): LimitReached => ({
  kind: 'limited',
  reason,
  waitSeconds: Math.max(1, Math.ceil(waitSeconds)),
})

/** True for limits that ask for nothing. */
export const isWithoutLimit = ({ openPrompts, promptsPerHour, maxDailyKes }: AcceptLimits): boolean =>
  openPrompts === null && promptsPerHour === null && maxDailyKes === null
