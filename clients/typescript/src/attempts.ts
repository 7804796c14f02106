import { setTimeout as pause } from 'node:timers/promises'

/** How often a request is made, and how long it waits in between. */
export type Attempts = {
  /** How many at most. */
  attempts: number
  /** A request is not made again that would have to wait longer than this. */
  maxWaitMs: number
  signal?: AbortSignal | undefined
}

/** What came of one attempt: it is done, or may be made again, after the seconds that the gateway asked for if it did. */
export type Attempt<Result> =
  | { kind: 'done'; result: Result }
  | { kind: 'again'; afterSeconds: number | null; error: Error }

/** Without a word from the gateway: 0.5 s, doubled with each attempt, up to this. */
const LONGEST_PAUSE_MS = 16_000
const FIRST_PAUSE_MS = 500

/**
 * Makes attempts until one is done. Between two of them it waits as long as the gateway asked, and up to a quarter longer, so
 * that those who were refused together do not come back together. Throws the error of the last one.
 */
export const repeat = async <Result>(
  attempt: () => Promise<Attempt<Result>>,
  { attempts, maxWaitMs, signal }: Attempts,
): Promise<Result> => {
  for (let made = 1; ; made += 1) {
    const outcome = await attempt()
    if (outcome.kind === 'done') return outcome.result
    const waitMs =
      outcome.afterSeconds === null
        ? Math.min(FIRST_PAUSE_MS * 2 ** (made - 1), LONGEST_PAUSE_MS)
        : outcome.afterSeconds * 1000
    if (made >= attempts || waitMs > maxWaitMs) throw outcome.error
    await pause(waitMs * (1 + Math.random() / 4), undefined, { signal })
  }
}

/** What `Retry-After` says, where it says seconds; null for a date, as a proxy may give, and for what it cannot say. */
export const secondsIn = (retryAfter: string | null): number | null =>
  retryAfter !== null && /^\d+$/.test(retryAfter) ? Number(retryAfter) : null
