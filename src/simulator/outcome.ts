import type { Behaviour, Ending, Trait } from './behaviour.ts'
import type { Result } from './results.ts'

/** A call that can misbehave; `push` stands for the push and all that comes of it, but for the query. */
export type Call = 'push' | 'query' | 'token' | 'pull'

/** One row of the tables: its name, what chooses it, and what it does. */
export type Outcome = Trait & {
  call: Call
  phones: readonly string[]
  amountsKes: readonly number[]
}

/** A row under its number, which ends both the phone number and the amount that choose it. */
export const numbered = (
  number: number,
  name: string,
  does: Partial<Behaviour>,
  call: Call = 'push',
): Outcome => ({
  name,
  call,
  phones: [`254700000${String(number).padStart(3, '0')}`],
  amountsKes: [249_000 + number],
  does,
})

/** An ending after one delay, or after so many. */
export const ends = (result: Result, afterDelays = 1): Ending => ({ afterDelays, result })
