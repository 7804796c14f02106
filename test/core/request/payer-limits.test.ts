import { expect, it } from 'vitest'
import { type AcceptLimits, judgeLimits, type LimitState } from '../../../src/core/request/payer-limits.ts'

const NOW_MS = 1_800_000_000_000
const MINUTE_MS = 60_000

const ALL: AcceptLimits = { openPrompts: 1, promptsPerHour: 3, maxDailyKes: 1000 }
const NONE: AcceptLimits = { openPrompts: null, promptsPerHour: null, maxDailyKes: null }

/** Recent payments of so many minutes ago, oldest first. */
const stateOf = (minutesAgo: readonly number[], others: Partial<LimitState> = {}): LimitState => ({
  nowMs: NOW_MS,
  recent: minutesAgo.map((minutes, index) => ({ id: index + 1, atMs: NOW_MS - minutes * MINUTE_MS })),
  open: 0,
  askedKes: 0,
  secondsLeftToday: 3600.5,
  ...others,
})

it.each([
  ['nothing known', ALL, stateOf([]), null],
  ['an open prompt', ALL, stateOf([1], { open: 1 }), ['payer_open', 15]],
  ['two of the hour', ALL, stateOf([50, 1]), null],
  ['three of the hour', ALL, stateOf([50, 40, 1]), ['payer_hourly', 600]],
  ['more than three of the hour', ALL, stateOf([55, 50, 40, 1]), ['payer_hourly', 600]],
  ['the third an hour ago', ALL, stateOf([60, 40, 1]), null],
  ['all of the daily limit', ALL, stateOf([], { askedKes: 900 }), null],
  ['above the daily limit', ALL, stateOf([], { askedKes: 901 }), ['partner_daily', 3601]],
  ['everything, without limits', NONE, stateOf([3, 2, 1], { open: 3, askedKes: 9_999 }), null],
])('%s', (_what, limits, state, expected) => {
  const reached = judgeLimits(limits, state, 100)
  expect(reached && [reached.reason, reached.waitSeconds]).toEqual(expected)
})
