/** The seeds that every run of the suite plays; between them they commit every kind of fault. */
export const SHORT_SEEDS = [1, 2, 3] as const

/** How long each lasts, seconds. */
export const SHORT_SECONDS = 5
