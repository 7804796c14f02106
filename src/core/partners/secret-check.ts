import { createRemembered } from './remembered.ts'
import { isWellFormedSecret, type SecretPrefix } from './secret.ts'
import type { WrongSecrets } from './wrong-secrets.ts'

/** What a secret turned out to be beside what the database can say of it. */
export type Unproven =
  | { kind: 'unknown' }
  /** The address has shown too many wrong ones: this one was not looked at. */
  | { kind: 'limited'; waitSeconds: number }

/** Looks at a secret that came from an address; rejects when the database is away and the secret is not remembered. */
export type SecretCheck<Answer> = (secret: string, address: string) => Promise<Answer | Unproven>

/**
 * Makes the check of secrets with `prefix`. One with a wrong checksum never reaches the database, nor does one from an address
 * that has shown too many wrong ones, unless it was a good one before: nobody locks out another by sharing its address. `lookUp`
 * asks the database, null: it knows no such secret; `isGood` tells those that let their holder in. `nowMs` is a monotonic time.
 */
export const createSecretCheck = <Answer>(options: {
  prefix: SecretPrefix
  lookUp: (secret: string) => Promise<Answer | null>
  isGood: (answer: Answer) => boolean
  wrongSecrets: WrongSecrets
  nowMs: () => number
}): SecretCheck<Answer> => {
  const { wrongSecrets } = options
  const remembered = createRemembered<Answer | null>({
    lookUp: options.lookUp,
    isKnown: (answer) => answer !== null && options.isGood(answer),
    nowMs: options.nowMs,
  })
  const wrong = (address: string): Unproven => {
    const waitSeconds = wrongSecrets.waitSeconds(address)
    if (waitSeconds > 0) return { kind: 'limited', waitSeconds }
    wrongSecrets.count(address)
    return { kind: 'unknown' }
  }
  return async (secret, address) => {
    if (!isWellFormedSecret(options.prefix, secret)) return wrong(address)
    const known = remembered.get(secret)
    if (known !== undefined) return (await known) ?? wrong(address)
    if (remembered.wasKnown(secret)) return (await remembered.ask(secret)) ?? wrong(address)
    const waitSeconds = wrongSecrets.waitSeconds(address)
    if (waitSeconds > 0) return { kind: 'limited', waitSeconds }
    // Counted before it is asked for, or of many at once none would be.
    const takeBack = wrongSecrets.count(address)
    const answer = await remembered.ask(secret).finally(takeBack)
    return answer ?? wrong(address)
  }
}
