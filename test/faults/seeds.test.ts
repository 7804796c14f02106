import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { describePlan, makePlan } from './plan.ts'
import { runSeed } from './run-seed.ts'
import { type OwnServices, startOwnServices } from './services.ts'
import { SHORT_SECONDS, SHORT_SEEDS } from './short-seeds.ts'

describe('random faults', () => {
  let services: OwnServices
  beforeAll(async () => {
    services = await startOwnServices()
  }, 120_000)
  afterAll(() => services.close(), 60_000)

  it.each(SHORT_SEEDS)(
    'of seed %i: all is there, prompted once, delivered once it is known, always in the same words',
    async (seed) => {
      const result = await runSeed({ services, seed, seconds: SHORT_SECONDS })
      const plan = `after\n${describePlan(makePlan(seed, SHORT_SECONDS)).join('\n')}`
      expect(result.problems, plan).toEqual([])
      expect(result, plan).toMatchObject({ lost: 0, promptedTwice: 0 })
      expect(result.delivered, plan).toBeGreaterThan(0)
    },
    150_000,
  )
})
