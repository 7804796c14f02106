import type { Log } from '../../runtime/log.ts'
import { createFairShares } from './fair-shares.ts'
import { createPushPace } from './push-pace.ts'

// New payments are refused, before anything of them is stored, while what was accepted cannot be pushed soon enough: a
// payment that waits in vain is worse than one that is refused at once and comes again. An account of Daraja is judged
// by itself, for one that is slow keeps no other waiting.
//
// A payment that is accepted now would wait as long as what waits already takes to be pushed (`push-pace.ts`). When
// that was above `afterMs` at every look for a second, and the first in line has really waited for a part of it, the
// overload begins. From then on as many are accepted as are pushed, fewer while the wait is longer than it is to be and
// more while it is shorter, so that what waits neither grows nor runs out: pushing goes on at its full pace. When
// nothing waits any more the overload has ended. Who is refused: `fair-shares.ts`.
//
// While Daraja holds the account off (`back-off.ts`) nothing is pushed, and it is not known for how long that will be.
// A hold lasts for half a minute at most, and most are over in seconds, so payments go on being accepted until one has
// waited for a quarter of its time to be pushed; those have a good chance still. Longer than that is an outage of
// Daraja: what would be accepted would end unprompted two minutes later, so it is refused now. Once all that waited has
// ended, payments are accepted again, which is how its end is noticed.

/** For so long it must be too much, ms, for what stands still for a moment is no overload; and so long none waits after one. */
const BEGINS_AFTER_MS = 500
const ENDS_AFTER_MS = 10_000

/** The part of the longest wait for which the first in line has really waited when an overload begins. */
const WAITED = 1 / 10

/** The part of the longest wait that is aimed at, and below which the overload is over. */
const AIM = 2 / 5
const OVER = 1 / 20

/** At least such a part of what is pushed is accepted, however much waits, so that nobody is shut out. */
const LEAST = 1 / 4

/** So many are taken to be pushed in a second, even where none was for a moment: who asks rarely is not shut out then. */
const LEAST_PER_SECOND = 1

/** The part of its time to be pushed for which a payment may wait for an account that is held. */
const HELD = 1 / 4

/** Of an account: for how long the payment that waits longest for its push has been due, ms, and whether it is held. */
export type Wait = { waitedMs: number; isHeld: boolean }

export type Overload = {
  /** A partner asks for a payment: null when it may be accepted, else for how long it should wait, seconds. */
  ask(asker: { partnerId: bigint; accountId: bigint }): number | null
  /** A payment is accepted. */
  accepted(accountId: bigint): void
  /** True when what waits is to be looked at. */
  isConcerned(): boolean
  /** What waits for its push, by account. */
  observe(waits: ReadonlyMap<bigint, Wait>): void
  /** How many accounts have payments refused now, and the longest wait that is expected for any, ms. */
  state: () => { accounts: number; expectedMs: number }
}

type Options = {
  /** How long a payment may have to wait for its push, ms. */
  afterMs: number
  /** How old a payment may be and still prompt its payer, ms. */
  submitTtlMs: number
  /** A monotonic time, ms. */
  nowMs: () => number
  random: () => number
  log: Log
}

/** Decides for one process which payments are accepted. */
export const createOverload = (options: Options): Overload => {
  const accounts = new Map<bigint, AccountLoad>()
  const loadOf = (accountId: bigint): AccountLoad => {
    const load = accounts.get(accountId) ?? createAccountLoad(options, accountId)
    accounts.set(accountId, load)
    return load
  }
  const all = (): AccountLoad[] => [...accounts.values()]
  return {
    ask: ({ partnerId, accountId }) => loadOf(accountId).ask(partnerId),
    accepted: (accountId) => loadOf(accountId).accepted(),
    isConcerned: () => all().some((load) => load.isConcerned()),
    observe: (waits) => {
      for (const [accountId, load] of accounts) load.observe(waits.get(accountId) ?? NOTHING)
    },
    state: () => ({
      accounts: all().filter((load) => load.isOverloaded()).length,
      expectedMs: all().reduce((most, load) => Math.max(most, load.expectedMs()), 0),
    }),
  }
}

const NOTHING: Wait = { waitedMs: 0, isHeld: false }

type AccountLoad = ReturnType<typeof createAccountLoad>

const createAccountLoad = (options: Options, accountId: bigint) => {
  const { afterMs, submitTtlMs, nowMs, log } = options
  const pace = createPushPace()
  const shares = createFairShares({ nowMs: nowMs(), random: options.random })
  const tooMuch = createSince()
  const over = createSince()
  let expectedMs = 0
  let fits = 0
  let overload: { beganMs: number; refused: number } | null = null

  const ask = (partnerId: bigint): number | null => {
    const waitSeconds = shares.ask(partnerId, nowMs())
    if (waitSeconds !== null && overload !== null) overload.refused += 1
    return waitSeconds
  }

  const observe = ({ waitedMs, isHeld }: Wait): void => {
    const atMs = nowMs()
    const { waiting, perSecond } = pace.observe(atMs, waitedMs)
    const longestMs = isHeld ? Math.max(afterMs, submitTtlMs * HELD) : afterMs
    expectedMs = expect({ waiting, perSecond: isHeld ? 0 : perSecond, waitedMs })
    const load = expectedMs / longestMs
    const tooMuchForMs = tooMuch.forMs(load > 1 && waitedMs > longestMs * WAITED, atMs)
    const overForMs = over.forMs(load < OVER, atMs)
    if (overload === null && tooMuchForMs >= BEGINS_AFTER_MS) {
      overload = { beganMs: atMs, refused: 0 }
      log.warn({
        event: 'overload_began',
        account_id: Number(accountId),
        waiting: Math.round(waiting),
        waited_ms: Math.round(waitedMs),
        expected_ms: Math.round(expectedMs),
        is_held: isHeld,
      })
    } else if (overload !== null && overForMs >= ENDS_AFTER_MS) {
      const { beganMs, refused } = overload
      overload = null
      const for_ms = Math.round(atMs - beganMs)
      log.info({ event: 'overload_ended', account_id: Number(accountId), refused, for_ms })
    }
    // Where little waits, fewer are pushed than could be: what fits may be more, and is found out by accepting more.
    fits = load < AIM / 2 ? Math.max(fits, perSecond) : Math.max(perSecond, isHeld ? 0 : LEAST_PER_SECOND)
    const allowed = overload === null ? Number.POSITIVE_INFINITY : fits * Math.max(LEAST, 1 + AIM - load)
    shares.allow(allowed, atMs)
  }

  return {
    ask,
    accepted: () => pace.accepted(nowMs()),
    isConcerned: () => overload !== null || pace.hasWaiting(),
    isOverloaded: () => overload !== null,
    expectedMs: () => expectedMs,
    observe,
  }
}

/** How long a payment of this process that comes now will wait, ms; what is not known is what the first has waited. */
const expect = (seen: { waiting: number; perSecond: number; waitedMs: number }): number => {
  if (seen.waiting === 0) return 0
  return seen.perSecond === 0 ? seen.waitedMs : (seen.waiting * 1000) / seen.perSecond
}

/** For how long something has been so at every look. */
const createSince = () => {
  let sinceMs: number | null = null
  return {
    forMs: (isSo: boolean, nowMs: number): number => {
      sinceMs = isSo ? (sinceMs ?? nowMs) : null
      return sinceMs === null ? 0 : nowMs - sinceMs
    },
  }
}
