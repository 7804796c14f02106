import { describe, expect, it } from 'vitest'
import { describePlan, makePlan } from './plan.ts'
import { SHORT_SECONDS, SHORT_SEEDS } from './short-seeds.ts'

describe('a plan of faults', () => {
  it('is the same for the same seed, and another for another', () => {
    expect(makePlan(7, 30)).toEqual(makePlan(7, 30))
    expect(describePlan(makePlan(7, 30))).not.toEqual(describePlan(makePlan(8, 30)))
  })

  it('lies within its time, in order, with a line for each fault', () => {
    const plan = makePlan(1, 10)
    for (const events of [plan.faults, plan.wishes]) {
      const times = events.map(({ atMs }) => atMs)
      expect(times).toEqual(times.toSorted((one, other) => one - other))
      expect(Math.max(...times)).toBeLessThan(10_000)
    }
    expect(describePlan(plan)).toHaveLength(plan.faults.length)
    expect(new Set(plan.wishes.map(({ key }) => key)).size).toBe(plan.wishes.length)
  })

  it('of the short seeds commits every kind of fault', () => {
    const kinds = SHORT_SEEDS.flatMap((seed) =>
      makePlan(seed, SHORT_SECONDS).faults.map(({ fault }) => fault.kind),
    )
    const all = makePlan(1, 1_000).faults.map(({ fault }) => fault.kind)
    expect(new Set(kinds)).toEqual(new Set(all))
  })
})
