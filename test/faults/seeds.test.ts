import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { describePlan, makePlan } from './plan.ts'
import { runSeed } from './run-seed.ts'
import { type OwnServices, startOwnServices } from './services.ts'
import { SHORT_SECONDS, SHORT_SEEDS } from './short-seeds.ts'

const [SEED_OF_COMMAND, ...SEEDS] = SHORT_SEEDS

describe('random faults', () => {
  let services: OwnServices
  beforeAll(async () => {
    services = await startOwnServices()
  }, 120_000)
  afterAll(() => services.close(), 60_000)

  it.each(SEEDS)(
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

describe('the command that plays them', () => {
  it('runs without the suite, and prints what the ledgers said', async () => {
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [join(import.meta.dirname, 'main.ts'), '--seconds', String(SHORT_SECONDS)],
      { env: { ...process.env, SEED: String(SEED_OF_COMMAND) } },
    )
    expect(stdout).toMatch(
      new RegExp(String.raw`^\|\s+${SEED_OF_COMMAND} \|(?:\s+\d+ \|){3}\s+0 \|\s+0 \|`, 'm'),
    )
  }, 150_000)
})
