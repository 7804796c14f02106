import type { Behaviour } from './behaviour.ts'
import { createBoundedMap } from './bounded-map.ts'
import type { Outcome } from './outcome.ts'
import type { Result } from './results.ts'

/** One POST to a payment's callback URL. `status` and `error` are null until it is answered or has failed. */
export type PostedCallback = {
  postedAt: Date
  resultCode: Result['code']
  status: number | null
  error: string | null
  answeredAt: Date | null
  body: string
}

/** Money that moved: its receipt, when, and how much. */
export type Transaction = { receipt: string; paidAt: Date; amountKes: number }

/** One prompt on a payer's phone: the accepted push, what it comes to, and what was posted about it. */
export type Prompt = {
  readonly checkoutRequestId: string
  readonly merchantRequestId: string
  readonly shortcode: string
  readonly phone: string
  readonly amountKes: number
  readonly accountReference: string
  readonly callbackUrl: string
  readonly warnings: readonly string[]
  /** The names of the outcomes that say how it goes. */
  readonly outcomes: readonly string[]
  readonly behaviour: Behaviour
  /** What phone number and amount chose. */
  readonly chosen: readonly Outcome[]
  /** Its name in the draws of the run. */
  readonly subject: string
  readonly promptedAt: Date
  /** What the query answers with now; null while the payment is open. */
  result: Result | null
  /** How often the query asked for it. */
  queries: number
  readonly transactions: Transaction[]
  readonly callbacks: PostedCallback[]
}

/** The names of the outcomes of a prompt as one word. */
export const outcomeName = ({ outcomes }: Pick<Prompt, 'outcomes'>): string => outcomes.join('+') || 'paid'

/** Counts since the start, or since the ledger was last cleared. */
export type LedgerTotals = {
  pushes: number
  refused: number
  prompts: number
  queries: number
  callbacksPosted: number
  callbacksFailed: number
}

/** What the simulator did, kept so that tests can hold it against what the gateway believes. */
export type Ledger = {
  /** Counts that others may raise; `prompts` is raised by `add`. */
  totals(): LedgerTotals
  /** How often each outcome happened that is not plain, by name. */
  misbehaviours(): Record<string, number>
  countMisbehaviours(names: readonly string[]): void
  add(prompt: Prompt): void
  find(checkoutRequestId: string): Prompt | undefined
  /** The prompts that the ledger still holds, oldest first. */
  prompts(): Prompt[]
  /** How many prompts have made room for newer ones. */
  forgotten(): number
  clear(): void
}

const NOTHING: LedgerTotals = {
  pushes: 0,
  refused: 0,
  prompts: 0,
  queries: 0,
  callbacksPosted: 0,
  callbacksFailed: 0,
}

/** Creates a ledger that holds the newest `maxPrompts` prompts; its totals count every one. */
export const createLedger = (options: { maxPrompts: number }): Ledger => {
  const held = createBoundedMap<string, Prompt>(options.maxPrompts)
  const byName = new Map<string, number>()
  let totals = { ...NOTHING }

  return {
    totals: () => totals,
    misbehaviours: () => Object.fromEntries(byName),
    countMisbehaviours: (names) => {
      for (const name of names) byName.set(name, (byName.get(name) ?? 0) + 1)
    },
    add: (prompt) => {
      totals.prompts += 1
      held.add(prompt.checkoutRequestId, prompt)
    },
    find: (checkoutRequestId) => held.get(checkoutRequestId),
    prompts: () => held.values(),
    forgotten: () => held.forgotten(),
    clear: () => {
      totals = { ...NOTHING }
      byName.clear()
      held.clear()
    },
  }
}
