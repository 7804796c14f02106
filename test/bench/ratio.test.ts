import { expect, it } from 'vitest'
import { ratioOfMeans } from '../../bench/support/ratio.ts'

/** How each round of a thing that costs 100 differs from it. */
const NOISE = [-9, 4, 7, -3, 0, 8, -6, -1, 5, -8, 2, 1]

it('is the ratio of the means, and not the mean of the ratios', () => {
  const rounds = [
    { value: 2, base: 1 },
    { value: 3, base: 3 },
  ]
  expect(ratioOfMeans(rounds).ratio).toBe(1.25)
})

it('has no interval where every round says the same', () => {
  const rounds = NOISE.map((noise) => ({ value: 1.5 * (100 + noise), base: 100 + noise }))
  const { ratio, low, high } = ratioOfMeans(rounds)
  for (const one of [ratio, low, high]) expect(one).toBeCloseTo(1.5)
})

it('has an interval around it as wide as the rounds differ, the same each time', () => {
  const withNoise = (share: number) =>
    ratioOfMeans(NOISE.map((noise) => ({ value: 105 + share * noise, base: 100 })))
  const wide = withNoise(1)
  expect(wide).toEqual(withNoise(1))
  expect(wide.ratio).toBeCloseTo(1.05)
  // The standard deviation of the noise is 5.4, of the mean of twelve 1.6: 1.96 times that to each side.
  expect(wide.low).toBeCloseTo(1.02, 2)
  expect(wide.high).toBeCloseTo(1.08, 2)
  const narrow = withNoise(0.1)
  expect(narrow.high - narrow.low).toBeCloseTo((wide.high - wide.low) / 10)
})
