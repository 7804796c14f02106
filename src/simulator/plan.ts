import { createHash } from 'node:crypto'
import type { Call, Outcome } from './outcome.ts'
import { OUTCOMES } from './outcomes.ts'

/** What a run is to get wrong: by name, how probably (0 to 1), and the number that decides when. */
export type RunPlan = { seed: number; misbehaviours: ReadonlyMap<string, number> }

/** A run's plan at work. */
export type Plan = {
  /** The outcomes drawn for one call. `subject` is what the call is about and which of its kind it is. */
  drawn(call: Call, subject: string): Outcome[]
  current(): RunPlan
  /** Goes on by another plan. */
  change(next: RunPlan): void
}

/** The names that are no outcome's, for a refusal. */
export const unknownNames = (names: Iterable<string>): string[] =>
  [...names].filter((name) => !OUTCOMES.some((outcome) => outcome.name === name))

/**
 * Makes the draws of a run. A draw is a hash of seed, name and subject and of nothing else: not of the time, nor of the order
 * in which calls come. So the same seed under the same calls gives the same misbehaviours, however they overlap.
 */
export const createPlan = (first: RunPlan): Plan => {
  let plan = first
  const happens = (name: string, subject: string): boolean => {
    const probability = plan.misbehaviours.get(name) ?? 0
    return probability > 0 && draw(`${plan.seed} ${name} ${subject}`) < probability
  }
  const drawn: Plan['drawn'] = (call, subject) =>
    OUTCOMES.filter((outcome) => outcome.call === call && happens(outcome.name, subject))
  return {
    drawn,
    current: () => plan,
    change: (next) => {
      plan = next
    },
  }
}

const DRAW_BYTES = 6

/** A number from 0 up to 1 that belongs to the text. */
const draw = (text: string): number =>
  createHash('sha256').update(text).digest().readUIntBE(0, DRAW_BYTES) / 2 ** (8 * DRAW_BYTES)
