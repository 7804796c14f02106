import { sql } from 'kysely'
import type { Database } from '../../database/connect.ts'
import { unlessSetBack } from '../../database/expressions.ts'
import { isOutage } from '../../database/outage.ts'
import type { Clock } from '../../runtime/clock.ts'
import { inTime } from '../../runtime/time-limit.ts'

// How the gateway is doing, for anybody: whether things happen and since when not, and no number, id or name. What is
// true is in Postgres, so every replica says the same; only since when Postgres is away each knows for itself.

/** How one thing is doing: null is unknown; `since` is when it ceased to be ok. */
export type PartStatus = { isOk: boolean | null; since: Date | null }

export type Status = {
  at: Date
  payments: PartStatus
  prompts: PartStatus
  daraja: PartStatus
  outcomes: PartStatus
}

/** Looks how the gateway is doing. Never rejects for an outage. */
export type ReadStatus = () => Promise<Status>

/** For how long an answer is good, ms: whoever floods us with the question has one look a second made. */
const GOOD_FOR_MS = 1_000

/** How long Postgres may take, ms: a partner's payment would not wait longer either. */
const PATIENCE_MS = 2_000

/** How long a payment may wait for its push, and an outcome for its attempt, before that is a delay, seconds. */
const PROMPT_DELAY_SECONDS = 10
const DELIVERY_DELAY_SECONDS = 60

class TooSlow extends Error {
  override name = 'TooSlow'
}

/**
 * Makes what looks. `shortcode` is that of the gateway's own account: how partners' own are doing is theirs. `isStarted`:
 * whether the database is known to have the schema of this release.
 */
export const createStatus = (options: {
  database: Database
  shortcode: string
  isStarted: () => boolean
  clock: Clock
  nowMs: () => number
}): ReadStatus => {
  const { database, shortcode, clock, nowMs } = options
  let awaySince: Date | null = null
  let asked: { status: Promise<Status>; untilMs: number } | null = null

  const look = async (): Promise<Status> => {
    try {
      if (!options.isStarted()) throw new TooSlow('the gateway is starting')
      const found = await inTime(
        readTroubles(database, shortcode),
        PATIENCE_MS,
        () => new TooSlow('no answer'),
      )
      awaySince = null
      return toStatus(found)
    } catch (error) {
      if (!isOutage(error) && !(error instanceof TooSlow)) throw error
      awaySince ??= clock()
      return { at: clock(), payments: notOk(awaySince), prompts: UNKNOWN, daraja: UNKNOWN, outcomes: UNKNOWN }
    }
  }

  return () => {
    if (asked === null || nowMs() >= asked.untilMs) {
      const status = look()
      // A defect is not remembered.
      status.catch(() => {
        asked = null
      })
      asked = { status, untilMs: nowMs() + GOOD_FOR_MS }
    }
    return asked.status
  }
}

const UNKNOWN: PartStatus = { isOk: null, since: null }

const notOk = (since: Date): PartStatus => ({ isOk: false, since })

const part = (since: Date | null): PartStatus => ({ isOk: since === null, since })

/** Since when each is in trouble; null: it is not. */
type Troubles = {
  at: Date
  held_since: Date | null
  prompt_due_at: Date | null
  delivery_due_at: Date | null
}

/** One look at the end of an index each, however much there is. Test payments do not count. */
const readTroubles = async (database: Database, shortcode: string): Promise<Troubles> => {
  const { rows } = await sql<Troubles>`
    SELECT now() AS at,
      (
        SELECT coalesce(held_since, now()) FROM daraja_accounts
        WHERE shortcode = ${shortcode} AND ${unlessSetBack(sql.ref('held_until'))} > now()
      ) AS held_since,
      (
        SELECT due_at FROM to_submit
        WHERE account_id = 0 AND leased_until <= now()
          AND due_at < now() - make_interval(secs => ${PROMPT_DELAY_SECONDS})
        ORDER BY due_at LIMIT 1
      ) AS prompt_due_at,
      (
        SELECT due_at FROM to_deliver
        WHERE held_at IS NULL AND leased_until <= now() AND partner_id > 0
          AND due_at < now() - make_interval(secs => ${DELIVERY_DELAY_SECONDS})
        ORDER BY due_at LIMIT 1
      ) AS delivery_due_at
  `.execute(database)
  const [row] = rows
  if (!row) throw new Error('a SELECT of one row gave none')
  return row
}

/** While Daraja holds the account off, nobody is prompted. */
const toStatus = ({ at, held_since, prompt_due_at, delivery_due_at }: Troubles): Status => ({
  at,
  payments: part(null),
  prompts: part(earlier(held_since, prompt_due_at)),
  daraja: part(held_since),
  outcomes: part(delivery_due_at),
})

const earlier = (one: Date | null, other: Date | null): Date | null => {
  if (one === null || other === null) return one ?? other
  return one < other ? one : other
}
