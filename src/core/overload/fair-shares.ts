// Whose payments are refused while not all can be accepted (law 7). There is one level for all partners, in payments a
// second: who asks at a lower rate is refused nothing; of who asks at a higher one, so many are accepted as the level
// is. So the partner that asks most is refused first, and nobody is refused for another's flood. The level is where
// that makes as many as may be accepted in all.

/** Rates are those of about so many ms. */
const RATE_MS = 1_000

/** Below so many requests a second a partner is forgotten. */
const NO_RATE = 0.01

/** What a partner is told to wait, seconds, by how many tries each payment of it takes. */
const MIN_WAIT_SECONDS = 1
const MAX_WAIT_SECONDS = 30
const WAIT_SECONDS_PER_TRY = 2

/** Of a partner: requests since the last look, requests a second lately, and its rate when it last asked. */
type Share = { asked: number; askedPerSecond: number; rate: number; atMs: number }

export type FairShares = {
  /** A partner asks for a payment: null when it may be accepted, else for how long it should wait, seconds. */
  ask(partnerId: bigint, nowMs: number): number | null
  /** So many payments may be accepted in a second from now on. */
  allow(perSecond: number, nowMs: number): void
}

/**
 * The shares of those who ask one process for payments through one account. `random`: which payments are refused, and
 * when they come again.
 */
export const createFairShares = (options: { nowMs: number; random: () => number }): FairShares => {
  const { random } = options
  const shares = new Map<bigint, Share>()
  let level = Number.POSITIVE_INFINITY
  let allowedAtMs = options.nowMs

  const ask = (partnerId: bigint, nowMs: number): number | null => {
    const share = shares.get(partnerId) ?? { asked: 0, askedPerSecond: 0, rate: 0, atMs: nowMs }
    shares.set(partnerId, share)
    share.asked += 1
    share.rate = share.rate * Math.exp((share.atMs - nowMs) / RATE_MS) + 1000 / RATE_MS
    share.atMs = nowMs
    if (share.rate <= level || random() < level / share.rate) return null
    return spread(waitSecondsOf(share.rate / level), random)
  }

  const allow = (perSecond: number, nowMs: number): void => {
    const sinceMs = Math.max(1, nowMs - allowedAtMs)
    allowedAtMs = nowMs
    const kept = Math.exp(-sinceMs / RATE_MS)
    for (const [partnerId, share] of shares) {
      share.askedPerSecond = share.askedPerSecond * kept + ((share.asked * 1000) / sinceMs) * (1 - kept)
      share.asked = 0
      if (share.askedPerSecond < NO_RATE) shares.delete(partnerId)
    }
    level = levelOf([...shares.values()], perSecond)
  }

  return { ask, allow }
}

/**
 * The level at which `allowed` payments a second are accepted of those who ask so often at these rates; infinite where
 * all of them may be.
 */
export const levelOf = (
  asking: readonly { askedPerSecond: number; rate: number }[],
  allowed: number,
): number => {
  if (allowed === 0) return 0
  const rising = asking.toSorted((one, other) => one.rate - other.rate)
  let left = allowed
  let above = rising.reduce((sum, { askedPerSecond, rate }) => sum + askedPerSecond / rate, 0)
  for (const { askedPerSecond, rate } of rising) {
    const level = Math.max(0, left) / above
    if (level < rate) return level
    left -= askedPerSecond
    above -= askedPerSecond / rate
  }
  return Number.POSITIVE_INFINITY
}

/** Those who are refused often come back later: however many they are, they do not ask much more than is accepted. */
const waitSecondsOf = (tries: number): number =>
  Math.min(MIN_WAIT_SECONDS + WAIT_SECONDS_PER_TRY * (tries - 1), MAX_WAIT_SECONDS)

/** Between half as long and half as long again: those who were refused together do not come together. */
const spread = (seconds: number, random: () => number): number => Math.ceil(seconds * (0.5 + random()))
