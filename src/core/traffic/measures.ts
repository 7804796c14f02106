// What is counted of the traffic of real payments, by the minute, the quarter and the hour.

/**
 * `accepted` payments that were answered with an id · `prompted` pushes that Daraja took · `paid` · `failed`, labelled with
 * the code that the partner reads · `called_back` outcomes, of either kind, by a callback · `delivered` outcomes that
 * their partner answered with a 2xx · `told_within` the same, but for those that were sent again, labelled with the step
 * of the time from accepted to delivered.
 */
export const MEASURES = [
  'accepted',
  'prompted',
  'paid',
  'failed',
  'called_back',
  'delivered',
  'told_within',
] as const

export type Measure = (typeof MEASURES)[number]

/** Each step of a time is so much longer than the one before: what is read of them is right to a tenth. */
export const STEP = 1.1

/** The longest time that a step stands for, ms. Pure. */
export const longestOf = (step: number): number => Math.round(STEP ** step)

/** Of so many times in each step that by which the part `part` had passed, ms; null where there are none. Pure. */
export const quantileOf = (steps: ReadonlyMap<number, number>, part: number): number | null => {
  const total = [...steps.values()].reduce((sum, count) => sum + count, 0)
  let before = 0
  for (const [step, count] of [...steps].toSorted(([one], [other]) => one - other)) {
    before += count
    if (before >= total * part) return longestOf(step)
  }
  return null
}
