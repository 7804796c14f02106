/**
 * How long one text may take whatever stands in it, ms of this process: a hundred times what a linear expression takes for the
 * longest; and the lengths that are tried, in characters: what takes n² steps is far beyond the budget at the last.
 */
export type Growth = { budgetMs: number; lengths: readonly number[] }

export const LONG: Growth = { budgetMs: 250, lengths: [1_000, 8_000, 64_000] }
export const SHORT: Growth = { budgetMs: 50, lengths: [1_000, 16_000] }

/** Texts that make expressions go back, each of at least `length` characters. */
type Attack = { begin: string; pump: string; end: string }

export const textOf = ({ begin, pump, end }: Attack, length: number): string =>
  begin + pump.repeat(Math.ceil(length / pump.length)) + end

/**
 * Runs the work on texts that grow, and returns the first that took too long; null when none did. The time is the process's
 * own, and the shortest of three, so that neither neighbours nor a collection of garbage count.
 */
export const findSlow = (
  attacks: Iterable<Attack>,
  work: (text: string) => unknown,
  { budgetMs, lengths }: Growth = LONG,
): { attack: Attack; length: number; ms: number } | null => {
  for (const attack of attacks) {
    for (const length of lengths) {
      const text = textOf(attack, length)
      const ms = shortest(budgetMs, () => work(text))
      if (ms > budgetMs) return { attack, length, ms }
    }
  }
  return null
}

const shortest = (budgetMs: number, work: () => unknown): number => {
  let shortestMs = Number.POSITIVE_INFINITY
  for (let time = 0; time < 3 && shortestMs > budgetMs; time += 1) {
    const before = process.cpuUsage()
    work()
    const { user, system } = process.cpuUsage(before)
    shortestMs = Math.min(shortestMs, (user + system) / 1000)
  }
  return shortestMs
}

/** Every beginning with every text that repeats, and with every end. */
export const attacksOf = function* (parts: {
  begins: readonly string[]
  pumps: readonly string[]
  ends: readonly string[]
}): Iterable<Attack> {
  for (const begin of parts.begins)
    for (const pump of parts.pumps) for (const end of parts.ends) yield { begin, pump, end }
}
