import { describe, expect, it } from 'vitest'
import type { AttemptResult } from '../../../src/dispatcher/deliver/plan.ts'
import { planNext } from '../../../src/dispatcher/deliver/plan.ts'

const SCHEDULE_MS = [0, 2_000, 5_000]
const DAY_MS = 86_400_000

const failed = (given: Partial<AttemptResult> = {}): AttemptResult => ({
  status: 500,
  errorClass: 'status',
  retryAfterMs: null,
  ...given,
})

const plan = (given: {
  attempts?: number
  result?: AttemptResult
  random?: number
  scheduleMs?: number[]
  schedule_from?: number
}) =>
  planNext({ scheduleMs: SCHEDULE_MS, attempts: 1, schedule_from: 0, result: failed(), random: 0, ...given })

describe('what follows an attempt', () => {
  it('is nothing after a 2xx, at any attempt', () => {
    const result = failed({ status: 204, errorClass: null })
    expect(plan({ result, attempts: 1 })).toEqual({ kind: 'delivered' })
    expect(plan({ result, attempts: 99 })).toEqual({ kind: 'delivered' })
  })

  it('is the pause that stands before the next attempt in the schedule', () => {
    expect(plan({ attempts: 1 })).toEqual({ kind: 'retry', delayMs: 2_000 })
    expect(plan({ attempts: 2 })).toEqual({ kind: 'retry', delayMs: 5_000 })
  })

  it('goes by the schedule from where it began anew', () => {
    expect(plan({ attempts: 7, schedule_from: 6 })).toEqual({ kind: 'retry', delayMs: 2_000 })
    expect(plan({ attempts: 9, schedule_from: 6 })).toMatchObject({ kind: 'dead' })
  })

  it('is longer by at most a fifth, and never shorter', () => {
    expect(plan({ random: 0.5 })).toEqual({ kind: 'retry', delayMs: 2_200 })
    expect(plan({ random: 0.999_999 })).toEqual({ kind: 'retry', delayMs: 2_400 })
  })

  it('is death after the last attempt, with its reason', () => {
    expect(plan({ attempts: 3 })).toEqual({
      kind: 'dead',
      reason: 'attempt 3 was the last and failed: status, HTTP 500',
    })
    const refused = failed({ status: null, errorClass: 'refused' })
    expect(plan({ attempts: 3, result: refused })).toEqual({
      kind: 'dead',
      reason: 'attempt 3 was the last and failed: refused',
    })
  })

  it('is death at once after a 410', () => {
    expect(plan({ result: failed({ status: 410 }) })).toEqual({
      kind: 'dead',
      reason: 'the endpoint answered 410 Gone',
    })
  })

  it('is a retry after a redirect', () => {
    expect(plan({ result: failed({ status: 302, errorClass: 'redirect' }) }).kind).toBe('retry')
  })

  it('waits as long as Retry-After asks, when that is longer than the step', () => {
    expect(plan({ result: failed({ retryAfterMs: 60_000 }) })).toEqual({ kind: 'retry', delayMs: 60_000 })
    expect(plan({ result: failed({ retryAfterMs: 60_000 }), random: 0.5 })).toEqual({
      kind: 'retry',
      delayMs: 66_000,
    })
    expect(plan({ result: failed({ retryAfterMs: 1_000 }) })).toEqual({ kind: 'retry', delayMs: 2_000 })
  })

  it('is never sooner than a step or Retry-After, whatever they are', () => {
    for (let step = 0; step < 10_000; step += 997) {
      for (let asked = 0; asked < 10_000; asked += 991) {
        const next = plan({
          scheduleMs: [0, step],
          result: failed({ retryAfterMs: asked }),
          random: Math.random(),
        })
        expect(next.kind === 'retry' && next.delayMs).toBeGreaterThanOrEqual(Math.max(step, asked))
      }
    }
  })

  it('does not wait for years: at most the whole schedule, or a day', () => {
    const years = failed({ retryAfterMs: 10 * 365 * DAY_MS })
    expect(plan({ result: years })).toEqual({ kind: 'retry', delayMs: DAY_MS })
    expect(plan({ result: years, scheduleMs: [0, DAY_MS, DAY_MS, DAY_MS] })).toEqual({
      kind: 'retry',
      delayMs: 3 * DAY_MS,
    })
  })

  it('counts a lost attempt beyond the schedule as the last', () => {
    expect(plan({ attempts: 7 }).kind).toBe('dead')
    expect(plan({ attempts: 1, scheduleMs: [0] }).kind).toBe('dead')
  })
})
