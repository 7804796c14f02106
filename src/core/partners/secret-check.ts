import { hash } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import { asOne } from '../../runtime/as-one.ts'
import type { WrongSecrets } from '../../runtime/count-wrong-secrets.ts'
import { isWellFormedSecret, type SecretPrefix } from './secret.ts'

/** What a secret turned out to be beside what the database can say of it. */
export type Unproven =
  | { kind: 'unknown' }
  /** The address has shown too many wrong ones: this one was not looked at. */
  | { kind: 'limited'; waitSeconds: number }

/** Looks at a secret that came from an address; rejects when the database is away and the secret is not remembered. */
export type SecretCheck<Answer> = (secret: string, address: string) => Promise<Answer | Unproven>

/**
 * For how long an answer is remembered, ms: a revoked key is refused within five seconds, one of them for what is under
 * way.
 */
export const REMEMBERED_MS = 4_000

/** How many answers are remembered at once, of good secrets, and of all others. */
export const MAX_REMEMBERED = 10_000

/**
 * Makes the check of secrets with one of `prefixes`. One with a wrong checksum never reaches the database, nor does one from an
 * address that has shown too many wrong ones, unless it was a good one before: nobody locks out another by sharing its
 * address. `lookUp` asks the database, null: it knows no such secret; `isGood` selects those that authenticate their
 * holder. `nowMs` is a monotonic time.
 *
 * Answers are remembered, counted from when the database was asked, good ones and others in a cache each: whoever sends
 * invented secrets pushes out other invented ones only. Many who ask for one secret at once ask once. The caches know a
 * secret by its SHA-256, so that looking one up takes the same time whatever it has in common with another.
 */
export const createSecretCheck = <Answer extends object>(options: {
  prefixes: readonly SecretPrefix[]
  lookUp: (secret: string) => Promise<Answer | null>
  isGood: (answer: Answer) => boolean
  wrongSecrets: WrongSecrets
  nowMs: () => number
}): SecretCheck<Answer> => {
  const { wrongSecrets, nowMs } = options
  const good = new LRUCache<string, Answer>({
    maxSize: MAX_REMEMBERED,
    sizeCalculation: asOne,
    ttl: REMEMBERED_MS,
    ttlResolution: 0,
    perf: { now: nowMs },
    // For `wasGood`.
    noDeleteOnStaleGet: true,
  })
  const asked = new LRUCache<string, { answer: Answer | null }, Question>({
    maxSize: MAX_REMEMBERED,
    sizeCalculation: asOne,
    ttl: REMEMBERED_MS,
    ttlResolution: 0,
    perf: { now: nowMs },
    ignoreFetchAbort: true,
    fetchMethod: async (key, _stale, { context: { secret, address }, options: kept }) => {
      const askedMs = nowMs()
      const isTrusted = wasGood(key)
      if (!isTrusted && wrongSecrets.waitSeconds(address) > 0) return undefined
      // Counted before it is asked for, or of many at once none would be.
      const takeBack = isTrusted ? () => undefined : wrongSecrets.count(address)
      const answer = await options.lookUp(secret).finally(takeBack)
      if (answer !== null && options.isGood(answer)) good.set(key, answer, { start: askedMs })
      else good.delete(key)
      kept.ttl = Math.max(1, REMEMBERED_MS - (nowMs() - askedMs))
      return { answer }
    },
  })
  const wasGood = (key: string): boolean => good.peek(key, { allowStale: true }) !== undefined
  const limited = (address: string): Unproven => ({
    kind: 'limited',
    waitSeconds: Math.max(1, wrongSecrets.waitSeconds(address)),
  })
  const wrong = (address: string): Unproven => {
    if (wrongSecrets.waitSeconds(address) > 0) return limited(address)
    wrongSecrets.count(address)
    return { kind: 'unknown' }
  }
  return async (secret, address) => {
    const key = hash('sha256', secret, 'base64')
    const known = good.get(key)
    if (known !== undefined) return known
    if (!options.prefixes.some((prefix) => isWellFormedSecret(prefix, secret))) return wrong(address)
    const found = await asked.fetch(key, { context: { secret, address } })
    return found === undefined ? limited(address) : (found.answer ?? wrong(address))
  }
}

type Question = { secret: string; address: string }
