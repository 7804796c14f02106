import { seededRandom } from '../../test/faults/plan.ts'

/** How often the rounds are drawn anew, and from which seed: the same rounds have the same interval in every run. */
const DRAWS = 2_000
const SEED = 1

/** What part of the draws lies in the interval. */
const SHARE = 0.95

/** One round's value, and what it is compared with. */
export type Pair = { value: number; base: number }

/** A ratio, and the interval that 95 % of its bootstrap lies in. */
export type Ratio = { ratio: number; low: number; high: number }

/**
 * What the mean of the rounds' values is to the mean of their bases. The interval says how much of it is chance: the same
 * ratio is taken of as many rounds drawn from these with replacement, many times.
 */
export const ratioOfMeans = (rounds: readonly Pair[]): Ratio => {
  const random = seededRandom(SEED)
  const draw = (): Pair[] => rounds.flatMap(() => rounds[Math.floor(random() * rounds.length)] ?? [])
  const drawn = Array.from({ length: DRAWS }, () => toRatio(draw())).toSorted((one, other) => one - other)
  const at = (share: number): number => drawn[Math.round((DRAWS - 1) * share)] ?? Number.NaN
  return { ratio: toRatio(rounds), low: at((1 - SHARE) / 2), high: at((1 + SHARE) / 2) }
}

/** As many values as bases: their means are to each other as their sums are. */
const toRatio = (pairs: readonly Pair[]): number =>
  sumOf(pairs.map(({ value }) => value)) / sumOf(pairs.map(({ base }) => base))

const sumOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0)
