import { describe, expect, it } from 'vitest'
import {
  type Breaker,
  CLOSED,
  judge,
  NO_PROBE,
  type Verdict,
  verdictOf,
} from '../../../src/dispatcher/endpoints/breaker.ts'

const PROBE = 7n

/** The breaker after attempts of some other delivery than the probe, and for how long the last one opened it. */
const after = (breaker: Breaker, verdicts: readonly Verdict[], deliveryId = 1n, random = 0) =>
  verdicts.reduce((judged, verdict) => judge(judged.breaker, { delivery_id: deliveryId, verdict }, random), {
    breaker,
    openMs: null as number | null,
  })

const failures = (count: number): Verdict[] => Array.from({ length: count }, () => 'fails')

const HALF_OPEN: Breaker = { ...CLOSED, state: 'half_open', failures: 5, opens: 1, probe_delivery_id: PROBE }
const RAMPING: Breaker = { ...CLOSED, state: 'ramping', opens: 1, release_per_second: 8 }

describe('a breaker', () => {
  it('opens after 5 failures in a row, for 5 seconds and up to a fifth more', () => {
    expect(after(CLOSED, failures(4)).breaker).toMatchObject({ state: 'closed', failures: 4 })
    expect(after(CLOSED, failures(5))).toMatchObject({ breaker: { state: 'open', opens: 1 }, openMs: 5_000 })
    expect(after(CLOSED, failures(5), 1n, 0.999).openMs).toBeCloseTo(5_999, 0)
  })

  it('forgets failures with the first success', () => {
    expect(after(CLOSED, [...failures(4), 'works']).breaker).toEqual(CLOSED)
    expect(after(CLOSED, [...failures(4), 'works', ...failures(4)]).breaker.state).toBe('closed')
  })

  it('learns nothing from a URL that is gone, nor by an attempt that we could not sign', () => {
    expect(verdictOf({ errorClass: 'status', status: 410 })).toBe('gone')
    expect(verdictOf({ errorClass: 'not_signed', status: null })).toBe('nothing')
    expect(verdictOf({ errorClass: 'timeout', status: null })).toBe('fails')
    expect(verdictOf({ errorClass: null, status: 204 })).toBe('works')
    expect(after(CLOSED, [...failures(4), 'nothing', 'gone', 'fails']).breaker.state).toBe('open')
    expect(after(RAMPING, ['gone']).breaker).toBe(RAMPING)
  })

  it('that is open is changed by no attempt that ends meanwhile', () => {
    const { breaker } = after(CLOSED, failures(5))
    expect(after(breaker, ['works', ...failures(9)])).toEqual({ breaker, openMs: null })
  })

  it('that is half open hears its probe alone', () => {
    expect(after(HALF_OPEN, ['works', 'fails', 'gone']).breaker).toEqual(HALF_OPEN)
    expect(after(HALF_OPEN, ['nothing'], PROBE).breaker).toEqual(HALF_OPEN)
    expect(after(HALF_OPEN, ['gone'], PROBE).breaker).toEqual({ ...HALF_OPEN, probe_delivery_id: NO_PROBE })
    expect(after(HALF_OPEN, ['works'], PROBE).breaker).toMatchObject({
      state: 'ramping',
      failures: 0,
      release_per_second: 1,
      probe_delivery_id: null,
    })
  })

  it('opens for twice as long each time its probe fails, and never for more than five minutes', () => {
    const opened = (opens: number) => after({ ...HALF_OPEN, opens }, ['fails'], PROBE).openMs
    expect([1, 2, 3, 4, 5, 6, 60].map(opened)).toEqual([
      10_000, 20_000, 40_000, 80_000, 160_000, 300_000, 300_000,
    ])
  })

  it('that is ramping slows down with each failure, and opens again, for longer, after 5 in a row', () => {
    expect(after(RAMPING, ['fails']).breaker).toMatchObject({ state: 'ramping', release_per_second: 4 })
    expect(after(RAMPING, failures(4)).breaker).toMatchObject({ state: 'ramping', release_per_second: 1 })
    expect(after(RAMPING, ['fails', 'works']).breaker).toMatchObject({ state: 'ramping', failures: 0 })
    expect(after(RAMPING, failures(5))).toMatchObject({
      breaker: { state: 'open', opens: 2 },
      openMs: 10_000,
    })
  })

  it('that was not probed, for nothing was held, opens at the next failure', () => {
    const closedAgain: Breaker = { ...CLOSED, failures: 4, opens: 1 }
    expect(after(closedAgain, ['fails'])).toMatchObject({
      breaker: { state: 'open', opens: 2 },
      openMs: 10_000,
    })
    expect(after(closedAgain, ['works']).breaker).toEqual(CLOSED)
  })
})
