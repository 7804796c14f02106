import type { Submitting } from './submit.ts'
import { type TakenPayments, takeDuePayments } from './take-due-payments.ts'

/** How long nothing is looked for when nothing is due, ms; and how often payments past their deadline are. */
const IDLE_MS = 500

/** What a lease is longer than the calls to Daraja may take, ms: for the record of their outcome. */
const LEASE_MARGIN_MS = 150_000

/** Decides how many payments are taken, and when: what is not allowed yet costs no transaction. */
export const createPushTaker = (options: Submitting) => {
  let width = options.concurrency
  let notBeforeMs = Number.NEGATIVE_INFINITY
  let oldAtMs = Number.NEGATIVE_INFINITY

  /** Null: nothing was looked for, since nothing is allowed. */
  const take = async (underWay: number): Promise<TakenPayments | null> => {
    const nowMs = options.nowMs()
    const alsoOld = nowMs >= oldAtMs
    const limit = nowMs < notBeforeMs ? 0 : Math.max(width - underWay, 0)
    if (limit === 0 && !alsoOld) return null
    const taken = await takeDuePayments({
      database: options.database,
      budget: {
        shortcode: options.daraja.account.shortcode,
        call: 'push',
        perSecond: options.pushesPerSecond,
      },
      limit,
      // Each call may be repeated once after a refused token, and may ask for a token each time.
      leaseMs: options.timeoutMs * 4 + LEASE_MARGIN_MS,
      alsoOld,
    })
    if (alsoOld) oldAtMs = nowMs + IDLE_MS
    if (limit > 0) notBeforeMs = options.nowMs() + taken.nextInMs
    width = Math.max(1, Math.floor(options.concurrency / 2 ** taken.hold.recentHolds))
    return taken
  }

  /** How long until something may be allowed again, ms. */
  const waitMs = (): number => Math.min(Math.max(notBeforeMs - options.nowMs(), 0) || IDLE_MS, IDLE_MS)

  return { take, waitMs }
}
