/** The longest pause between two queries for one payment, ms. */
const MAX_DELAY_MS = 3_600_000

/**
 * How long to wait before a payment is asked for, ms: `firstMs` at first, half as long again after each of the `queries` that
 * settled nothing, up to an hour; and up to a fifth more at random, so that what was pushed together is not asked together.
 */
export const nextDelay = (options: { firstMs: number; queries: number; random: () => number }): number =>
  Math.round(Math.min(options.firstMs * 1.5 ** options.queries, MAX_DELAY_MS) * (1 + options.random() / 5))
