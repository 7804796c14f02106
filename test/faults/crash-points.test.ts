import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { type ChainResult, runChain } from './crash-chain.ts'
import { type CrashPoint, findCrashPoints } from './crash-points.ts'

const ROOT = join(import.meta.dirname, '..', '..')

const POINTS = await findCrashPoints(ROOT)

/** The points of `serve` in two deployments side by side, those of `dispatch` in a third. */
const chainsOf = (points: readonly CrashPoint[]): [CrashPoint[], CrashPoint[], CrashPoint[]] => {
  const ofServe = points.filter(({ command }) => command === 'serve')
  return [
    ofServe.filter((_point, index) => index % 4 < 2),
    ofServe.filter((_point, index) => index % 4 >= 2),
    points.filter(({ command }) => command === 'dispatch'),
  ]
}

describe('a process that is killed at a crash point', () => {
  let chains: ChainResult[] = []

  beforeAll(async () => {
    const [first, second, third] = chainsOf(POINTS)
    chains = await Promise.all([
      runChain('serve', first),
      runChain('serve', second),
      runChain('dispatch', third),
    ])
  }, 540_000)

  it.each(POINTS.filter(({ command }) => command !== 'operator').map(({ name }) => [name]))(
    '%s: its payments are all there, and settled or honestly unconfirmed',
    (name) => {
      const result = chains.flatMap(({ points }) => points).find(({ point }) => point === name)
      expect(result).toMatchObject({ endedBy: 'SIGKILL', unanswered: 0 })
      expect(result?.states).toHaveLength(result?.asked ?? 0)
      for (const state of result?.states ?? []) expect(state).toMatch(/^(?:successful|failed|unconfirmed)$/)
    },
  )

  it('breaks no law: what was answered is there, prompted once, delivered once it is known, always in the same words', () => {
    expect(chains.flatMap(({ comparison }) => comparison.problems)).toEqual([])
    for (const { comparison } of chains) expect(comparison).toMatchObject({ lost: 0, promptedTwice: 0 })
  })
})
