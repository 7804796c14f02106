import { type Arbitrary, sample } from 'fast-check'

/** How many bodies are under way at once. */
const CONCURRENCY = 32

/**
 * Draws `count` values and gives each to `check`, many at once. The first that `check` throws for ends it, with what is
 * needed to see it again: the seed, its place, and how `show` tells it.
 */
export const checkMany = async <Value>(options: {
  arbitrary: Arbitrary<Value>
  count: number
  show: (value: Value) => string
  check: (value: Value) => Promise<void>
}): Promise<void> => {
  const seed = Date.now() % 2 ** 31
  const values = sample(options.arbitrary, { numRuns: options.count, seed })
  const queue = values.entries()
  const work = async (): Promise<void> => {
    for (const [index, value] of queue) {
      await options.check(value).catch((cause: unknown) => {
        const why = cause instanceof Error ? cause.message : String(cause)
        throw new Error(`seed ${seed}, value ${index}, ${options.show(value)}: ${why}`, { cause })
      })
    }
  }
  await Promise.all(Array.from({ length: CONCURRENCY }, work))
}
