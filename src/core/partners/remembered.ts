import { hash } from 'node:crypto'
import { LRUCache } from 'lru-cache'

/** What is remembered of secrets, so that the hot path asks the database once in a while. */
export type Remembered<Answer> = {
  /** The answer for a secret; undefined when it must be asked for. */
  get: (secret: string) => Promise<Answer> | undefined
  /** Asks, and remembers the answer for as long as answers are. Many who ask for one secret at once ask once. */
  ask: (secret: string) => Promise<Answer>
  /** True when the secret was known the last time it was asked for, however long ago. */
  wasKnown: (secret: string) => boolean
}

type Entry<Answer> = { answer: Promise<Answer>; untilMs: number }

/** For how long an answer is remembered, ms: a revoked key is refused within five seconds, one of them for what is under way. */
const REMEMBERED_MS = 4_000

/** How many answers are remembered at once, of secrets that are known, and of those that are not. */
const MAX_REMEMBERED = 10_000

/**
 * Remembers for four seconds, counted from when the database was asked, what secrets turned out to be. Known and unknown ones
 * have a memory each, both bounded: whoever sends invented ones pushes out other invented ones only. Secrets are kept as their
 * SHA-256, so that looking one up takes the same time whatever it has in common with another. `nowMs` is a monotonic time in ms.
 */
export const createRemembered = <Answer>(options: {
  lookUp: (secret: string) => Promise<Answer>
  isKnown: (answer: Answer) => boolean
  nowMs: () => number
}): Remembered<Answer> => {
  const known = new LRUCache<string, Entry<Answer>>({ max: MAX_REMEMBERED })
  const others = new LRUCache<string, Entry<Answer>>({ max: MAX_REMEMBERED })

  const keep = (key: string, entry: Entry<Answer>, isKnown: boolean): void => {
    if (!isKnown) {
      known.delete(key)
      return
    }
    known.set(key, entry)
    forget(key, entry)
  }
  const forget = (key: string, entry: Entry<Answer>): void => {
    if (others.peek(key) === entry) others.delete(key)
  }

  return {
    get: (secret) => {
      const key = keyOf(secret)
      const nowMs = options.nowMs()
      return (fresh(known.get(key), nowMs) ?? fresh(others.get(key), nowMs))?.answer
    },
    ask: (secret) => {
      const key = keyOf(secret)
      const answer = options.lookUp(secret).then(
        (found) => {
          keep(key, entry, options.isKnown(found))
          return found
        },
        (error: unknown) => {
          // What the database could not say is nobody's answer: the next one asks again.
          forget(key, entry)
          throw error
        },
      )
      const entry = { answer, untilMs: options.nowMs() + REMEMBERED_MS }
      others.set(key, entry)
      return answer
    },
    wasKnown: (secret) => known.has(keyOf(secret)),
  }
}

const fresh = <Answer>(entry: Entry<Answer> | undefined, nowMs: number): Entry<Answer> | undefined =>
  entry !== undefined && entry.untilMs > nowMs ? entry : undefined

const keyOf = (secret: string): string => hash('sha256', secret, 'base64')
