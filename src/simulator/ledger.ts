import { createBoundedMap } from './bounded-map.ts'
import type { Outcome, Result } from './outcomes.ts'

/** One POST to a payment's callback URL. `status` and `error` are null until it is answered or has failed. */
export type PostedCallback = {
  postedAt: Date
  resultCode: number
  status: number | null
  error: string | null
  answeredAt: Date | null
  body: string
}

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
  readonly outcome: Outcome
  readonly promptedAt: Date
  /** What the query answers with now; null while the payment is open. */
  result: Result | null
  readonly callbacks: PostedCallback[]
}

/** Counts since the start, or since the ledger was last cleared. */
export type LedgerTotals = {
  pushes: number
  refused: number
  prompts: number
  callbacksPosted: number
  callbacksFailed: number
}

/** What the simulator did, kept so that tests can hold it against what the gateway believes. */
export type Ledger = {
  /** Counts that others may raise; `prompts` is raised by `add`. */
  totals(): LedgerTotals
  add(prompt: Prompt): void
  find(checkoutRequestId: string): Prompt | undefined
  /** The prompts that the ledger still holds, oldest first. */
  prompts(): Prompt[]
  /** How many prompts have made room for newer ones. */
  forgotten(): number
  clear(): void
}

const NOTHING: LedgerTotals = { pushes: 0, refused: 0, prompts: 0, callbacksPosted: 0, callbacksFailed: 0 }

/** Creates a ledger that holds the newest `maxPrompts` prompts; its totals count every one. */
export const createLedger = (options: { maxPrompts: number }): Ledger => {
  const held = createBoundedMap<string, Prompt>(options.maxPrompts)
  let totals = { ...NOTHING }

  return {
    totals: () => totals,
    add: (prompt) => {
      totals.prompts += 1
      held.add(prompt.checkoutRequestId, prompt)
    },
    find: (checkoutRequestId) => held.get(checkoutRequestId),
    prompts: () => held.values(),
    forgotten: () => held.forgotten(),
    clear: () => {
      totals = { ...NOTHING }
      held.clear()
    },
  }
}
