import { sql } from 'kysely'
import { LRUCache } from 'lru-cache'
import type { Database } from '../../database/connect.ts'
import { unlessSetBack } from '../../database/expressions.ts'
import { asOne } from '../../runtime/as-one.ts'
import { isTestId } from '../../values/test-partner.ts'
import type { CallingPartner } from './calling-partner.ts'

// How much a partner may ask for in a second, all replicas together. The bucket is a row of Postgres that holds a
// second's worth; each replica takes a twentieth of that at a time and spends it from memory, so that the way of a
// request costs no statement, and no replica holds much that another could need.

/** What there is to wait, s, for a partner that may ask `perSecond` times a second; null: nothing. */
export type Throttled = { perSecond: number; waitSeconds: number } | null

/** Takes one request of a partner, if it may ask now. Rejects when the database is away. */
export type Throttle = (partner: CallingPartner) => Promise<Throttled>

/** What a replica holds of one partner's bucket. */
type Holding = {
  requests: number
  /** What is held longer is not spent: its time is over. */
  untilMs: number
  /** The bucket was seen to be empty until then. */
  emptyUntilMs: number
  taking: Promise<void> | null
}

/** How many slices a second's worth has. */
const SLICES = 20

/** Of how many partners slices are held at once; whose is pushed out takes another one. */
const MAX_HOLDINGS = 10_000

/** How long a slice may be held, ms. */
const HELD_MS = 1_000

/**
 * Makes the throttle of one replica. `requestsPerSecond`: what holds for partners that have no rate of their own; null:
 * no limit. `testRequestsPerSecond`: what holds for the test keys of each partner together. `nowMs` is a monotonic time
 * in ms.
 */
export const createThrottle = (options: {
  database: Database
  requestsPerSecond: number | null
  testRequestsPerSecond: number
  nowMs: () => number
}): Throttle => {
  const holdings = new LRUCache<bigint, Holding>({ maxSize: MAX_HOLDINGS, sizeCalculation: asOne })

  const takeSlice = async (holding: Holding, partnerId: bigint, perSecond: number): Promise<void> => {
    const slice = await takeFromBucket(options.database, { partnerId, perSecond })
    const nowMs = options.nowMs()
    holding.requests = slice.granted
    holding.untilMs = nowMs + HELD_MS
    if (slice.granted === 0) holding.emptyUntilMs = nowMs + slice.waitMs
  }

  return async (partner) => {
    const perSecond = isTestId(partner.partnerId)
      ? options.testRequestsPerSecond
      : (partner.requestsPerSecond ?? options.requestsPerSecond)
    if (perSecond === null) return null
    const holding = holdings.get(partner.partnerId) ?? emptyHolding()
    holdings.set(partner.partnerId, holding)
    for (;;) {
      const nowMs = options.nowMs()
      if (holding.requests > 0 && holding.untilMs > nowMs) {
        holding.requests -= 1
        return null
      }
      if (holding.emptyUntilMs > nowMs) {
        return { perSecond, waitSeconds: Math.ceil((holding.emptyUntilMs - nowMs) / 1000) }
      }
      holding.taking ??= takeSlice(holding, partner.partnerId, perSecond).finally(() => {
        holding.taking = null
      })
      await holding.taking
    }
  }
}

const emptyHolding = (): Holding => ({
  requests: 0,
  untilMs: Number.NEGATIVE_INFINITY,
  emptyUntilMs: Number.NEGATIVE_INFINITY,
  taking: null,
})

type Slice = {
  granted: number
  /** When there is one request again, ms from now; counts when none was granted. */
  waitMs: number
}

/**
 * Takes a slice, or what is left of it. A transaction that waited for the row has an older `now()`: it takes less, not
 * more.
 */
const takeFromBucket = async (
  database: Database,
  bucket: { partnerId: bigint; perSecond: number },
): Promise<Slice> => {
  const { partnerId, perSecond } = bucket
  const intervalSeconds = 1 / perSecond
  const level = sql`greatest(${unlessSetBack(sql.ref('next_at'))}, now())`
  const left = sql`floor(extract(epoch FROM now() + interval '1 second' - ${level}) / ${intervalSeconds}::float8 + 1e-6)`
  const granted = sql`greatest(0, least(${Math.ceil(perSecond / SLICES)}, ${left}))::integer`
  const { rows } = await sql<{ granted: number; ahead_ms: number }>`
    UPDATE partner_buckets
    SET granted = ${granted}, next_at = ${level} + make_interval(secs => ${granted} * ${intervalSeconds}::float8)
    WHERE partner_id = ${partnerId}
    RETURNING granted, (extract(epoch FROM next_at - now()) * 1000)::float8 AS ahead_ms
  `.execute(database)
  const [row] = rows
  if (row) return { granted: row.granted, waitMs: Math.max(1, row.ahead_ms - 1000 + intervalSeconds * 1000) }
  await sql`INSERT INTO partner_buckets (partner_id) VALUES (${partnerId}) ON CONFLICT DO NOTHING`.execute(
    database,
  )
  return takeFromBucket(database, bucket)
}
