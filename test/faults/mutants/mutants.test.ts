import { beforeAll, describe, expect, inject, it } from 'vitest'
import type { Mutant } from './mutant.ts'
import { MUTANTS } from './mutants.ts'
import { copyProject } from './run-mutant.ts'

/** Mutants live in so many copies side by side: their tests mostly wait. */
const COPIES = 3

describe('a broken law turns its test red', () => {
  /** The tests that failed, or the error that kept them from running, by mutant. */
  const failures = new Map<Mutant, string[] | Error>()

  beforeAll(async () => {
    const services = { databaseUrl: inject('databaseUrl'), natsUrl: inject('natsUrl') }
    const waiting = [...MUTANTS]
    const work = async (): Promise<void> => {
      const copy = await copyProject(services)
      for (let mutant = waiting.shift(); mutant !== undefined; mutant = waiting.shift()) {
        failures.set(mutant, await copy.run(mutant).catch((error: Error) => error))
      }
      await copy.delete()
    }
    await Promise.all(Array.from({ length: COPIES }, work))
  }, 540_000)

  it.each(MUTANTS)('law $law, $name: $killedBy.test', (mutant) => {
    expect(failures.get(mutant)).toContainEqual(expect.stringContaining(mutant.killedBy.test))
  })

  it('each law has a mutant', () => {
    expect(new Set(MUTANTS.map(({ law }) => law))).toEqual(new Set([1, 2, 3, 4, 5, 6, 7, 8]))
  })
})
