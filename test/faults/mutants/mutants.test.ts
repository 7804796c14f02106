import { afterAll, describe, expect, inject, it } from 'vitest'
import type { Mutant } from './mutant.ts'
import { ALL_MUTANTS, LAW_MUTANTS } from './mutants.ts'
import { copyProject, findInProject, type MutantCopy } from './run-mutant.ts'

/** Mutants live in so many copies side by side: their tests mostly wait. */
const COPIES = 3

/** How long a mutant may wait for a copy and run there, ms. */
const PATIENCE_MS = 1_800_000

/** The first of each law, for all take minutes. */
const firstOfEachLaw = (mutants: readonly Mutant[]): Mutant[] =>
  mutants.filter((mutant) => mutant === mutants.find(({ law }) => law === mutant.law))

const TRIED = process.env['MUTANTS'] === 'all' ? ALL_MUTANTS : firstOfEachLaw(LAW_MUTANTS)

describe('a broken law turns its test red', () => {
  const copies: MutantCopy[] = []
  const waiting: ((copy: MutantCopy) => void)[] = []
  let made = 0

  const takeCopy = async (): Promise<MutantCopy> => {
    const free = copies.pop()
    if (free) return free
    if (made === COPIES) return new Promise((resolve) => waiting.push(resolve))
    made += 1
    return copyProject({
      databaseUrl: inject('databaseUrl'),
      databaseTemplate: inject('databaseTemplate'),
      natsUrl: inject('natsUrl'),
      testRun: inject('testRun'),
    })
  }
  const giveBack = (copy: MutantCopy): void => {
    const next = waiting.shift()
    if (next) next(copy)
    else copies.push(copy)
  }
  const failuresOf = async (mutant: Mutant): Promise<string[]> => {
    const copy = await takeCopy()
    try {
      return await copy.run(mutant)
    } finally {
      giveBack(copy)
    }
  }
  afterAll(() => Promise.all(copies.map((copy) => copy.delete())))

  it.concurrent.each(TRIED)('law $law, $name: $killedBy.test', { timeout: PATIENCE_MS }, async (mutant) => {
    expect(await failuresOf(mutant)).toContainEqual(expect.stringContaining(mutant.killedBy.test))
  })
})

describe('mutants', () => {
  it.each(ALL_MUTANTS)('are in step with the code: $name', async (mutant) => {
    await expect(findInProject(mutant)).resolves.toBeUndefined()
  })

  it('are there for each law', () => {
    expect(new Set(LAW_MUTANTS.map(({ law }) => law))).toEqual(new Set([1, 2, 3, 4, 5, 6, 7, 8]))
  })
})
