import { sql, type Transaction } from 'kysely'
import type { Database } from '../../database/connect.ts'
import { isOutage } from '../../database/outage.ts'
import type { RowOf, Schema } from '../../database/schema/schema.ts'
import { crashPoint } from '../../runtime/crash-point.ts'
import type { Log } from '../../runtime/log.ts'
import { type Loop, startLoop } from '../../runtime/loop.ts'
import type { Endpoint } from '../../values/endpoint.ts'
import { LEASE_SECONDS } from '../deliver/attempts.ts'
import type { FairQueue } from '../deliver/fair-queue.ts'
import type { EndpointChange, Reporter } from '../report.ts'
import { FIRST_RELEASE, MOST_FAILURES, MOST_RELEASE } from './breaker.ts'
import { rampStranded } from './hold-flood.ts'

/** A delivery that waits no more. */
type FreedDelivery = Endpoint & { delivery_id: bigint; payment_id: bigint }

/** What time did to endpoints, and what it released: for this process to attempt at once, else another finds it. */
export type Released = { freed: FreedDelivery[]; changes: EndpointChange[] }

/** Endpoints that one round takes. */
export const ENDPOINTS_A_ROUND = 20

/** How often it is looked for endpoints in trouble, and for deliveries that are held without need, ms. */
const IDLE_MS = 1_000

/** And for those that are due, while there is any in trouble, ms: a fraction of a step of a ramp. */
const TROUBLED_MS = 100

/** A probe's outcome is waited for until its lease has run out: then whoever had it is gone. */
const PROBE_SECONDS = LEASE_SECONDS + 5

/** Held deliveries are released several times a second, a part of the second's number each time. */
const STEPS_A_SECOND = 4

/**
 * What is released here is not published: this process has it, and the sweep publishes it when this process is gone.
 */
const SWEEP_SECONDS = 120

/** Does what is due by time at endpoints that are down, or were: probes them, and releases what is held for them. */
export const startReleasing = (options: {
  database: Database
  fairQueue: Pick<FairQueue, 'add'>
  reporter: Reporter
  nowMs: () => number
  log: Log
}): Loop => {
  const { database, fairQueue, reporter, nowMs, log } = options
  let strandedAtMs = nowMs()

  const round = async (): Promise<boolean | number> => {
    if (nowMs() >= strandedAtMs) {
      strandedAtMs = nowMs() + IDLE_MS
      for (const { partner_id, host } of await rampStranded(database))
        reporter.endpointChanged({ partner_id, host, to: 'ramping', cause: 'leftover' })
    }
    const { isAnyTroubled, freed, changes } = await releaseDue(database)
    for (const change of changes) reporter.endpointChanged(change)
    for (const delivery of freed) fairQueue.add(delivery)
    if (freed.length >= ENDPOINTS_A_ROUND) return true
    return isAnyTroubled ? TROUBLED_MS : false
  }
  return startLoop({ name: 'release', idleMs: IDLE_MS, round, isOutage, log })
}

/**
 * Does what has become due by time at endpoints that are not paused: lets a probe pass to one that has been open for
 * long enough, and releases what is held for one that is ramping. In one transaction, with each endpoint locked, so
 * that whichever of many dispatchers comes first does it.
 */
export const releaseDue = async (database: Database): Promise<Released & { isAnyTroubled: boolean }> => {
  // Nearly always nothing is due, and a transaction costs three times as many messages as one look.
  const { isAnyTroubled, isAnyDue } = await look(database)
  if (!isAnyDue) return { isAnyTroubled, freed: [], changes: [] }
  const released = await database.transaction().execute(async (transaction) => {
    const due = await lockDue(transaction)
    const steps: Released[] = []
    for (const endpoint of due) {
      const step = endpoint.state === 'ramping' ? releaseShare : probe
      steps.push(await step(transaction, endpoint))
    }
    crashPoint('release.before_commit', due.length)
    return {
      isAnyTroubled,
      freed: steps.flatMap(({ freed }) => freed),
      changes: steps.flatMap(({ changes }) => changes),
    }
  })
  crashPoint('release.after_commit', released.freed.length + released.changes.length)
  return released
}

type DueEndpoint = RowOf<'endpoints', 'partner_id' | 'host' | 'failures' | 'release_per_second'> & {
  state: 'open' | 'half_open' | 'ramping'
  /** True when this rate has lasted for a second. */
  is_seasoned: boolean
}

/** Whether time has something to do at an endpoint. */
const IS_DUE = sql`paused_at IS NULL AND CASE state
  WHEN 'open' THEN open_until <= now()
  WHEN 'half_open' THEN probing_until <= now()
  WHEN 'ramping' THEN coalesce(release_at <= now(), true)
  ELSE false
END`

const look = async (database: Database): Promise<{ isAnyTroubled: boolean; isAnyDue: boolean }> => {
  const { rows } = await sql<{ is_due: boolean }>`
    SELECT ${IS_DUE} AS is_due FROM endpoints WHERE state <> 'closed' ORDER BY is_due DESC NULLS LAST LIMIT 1
  `.execute(database)
  return { isAnyTroubled: rows.length > 0, isAnyDue: rows[0]?.is_due === true }
}

/**
 * Ordered by how long each is due: one that is due again soon after it was served comes after those that were not
 * served yet.
 */
const lockDue = async (transaction: Transaction<Schema>): Promise<DueEndpoint[]> => {
  const { rows } = await sql<DueEndpoint>`
    SELECT partner_id, host, state, failures, release_per_second,
           coalesce(release_since <= now() - interval '1 second', false) AS is_seasoned
    FROM endpoints
    WHERE ${IS_DUE}
    ORDER BY CASE state WHEN 'open' THEN open_until WHEN 'half_open' THEN probing_until ELSE release_at END NULLS FIRST
    LIMIT ${ENDPOINTS_A_ROUND} FOR UPDATE SKIP LOCKED
  `.execute(transaction)
  return rows
}

/**
 * Lets the held delivery that has been due for longest pass alone. With none that is due there is no probe: the
 * endpoint is closed, and the next failure opens it again.
 */
const probe = async (transaction: Transaction<Schema>, endpoint: DueEndpoint): Promise<Released> => {
  const { partner_id, host } = endpoint
  const [freed] = await free(transaction, endpoint, 1)
  if (freed === undefined) {
    await updateEndpoint(transaction, endpoint)
      .set({
        state: 'closed',
        failures: MOST_FAILURES - 1,
        probe_delivery_id: null,
        changed_at: sql<Date>`now()`,
      })
      .execute()
    return { freed: [], changes: [{ partner_id, host, to: 'untried', cause: 'none_held' }] }
  }
  await updateEndpoint(transaction, endpoint)
    .set({
      state: 'half_open',
      probe_delivery_id: freed.delivery_id,
      probing_until: sql<Date>`now() + make_interval(secs => ${PROBE_SECONDS})`,
      changed_at: sql<Date>`now()`,
    })
    .execute()
  return { freed: [freed], changes: [{ ...freed, to: 'half_open', cause: 'time' }] }
}

/**
 * Releases this step's share of what is held; the rate doubles each second. With nothing held any more the endpoint is
 * healthy.
 */
const releaseShare = async (transaction: Transaction<Schema>, endpoint: DueEndpoint): Promise<Released> => {
  const { partner_id, host, is_seasoned } = endpoint
  const before = endpoint.release_per_second ?? FIRST_RELEASE
  const rate = is_seasoned ? Math.min(before * 2, MOST_RELEASE) : before
  const share = Math.max(1, Math.round(rate / STEPS_A_SECOND))
  const freed = await free(transaction, endpoint, share)
  if (freed.length < share && !(await isAnyHeld(transaction, endpoint))) {
    await close(transaction, endpoint)
    return { freed, changes: [{ partner_id, host, to: 'closed', cause: 'none_held' }] }
  }
  await updateEndpoint(transaction, endpoint)
    .set({
      release_per_second: rate,
      release_since: is_seasoned ? sql<Date>`now()` : sql<Date>`coalesce(release_since, now())`,
      release_at: sql<Date>`greatest(now(), coalesce(release_at, now()) + make_interval(secs => ${share / rate}))`,
    })
    .execute()
  return { freed, changes: [] }
}

/** Releases at most `limit` held deliveries of the endpoint that are due, the longest due first. */
const free = async (
  transaction: Transaction<Schema>,
  { partner_id, host }: Endpoint,
  limit: number,
): Promise<FreedDelivery[]> => {
  const { rows } = await sql<FreedDelivery>`
    WITH longest AS (
      SELECT delivery_id FROM to_deliver
      WHERE partner_id = ${partner_id} AND host = ${host} AND held_at IS NOT NULL AND due_at <= now()
      ORDER BY due_at LIMIT ${limit} FOR UPDATE SKIP LOCKED
    ),
    freed AS (
      UPDATE to_deliver SET held_at = NULL, publish_at = now() + make_interval(secs => ${SWEEP_SECONDS})
      WHERE delivery_id = ANY (ARRAY(SELECT delivery_id FROM longest))
      RETURNING delivery_id
    )
    SELECT partner_id, host, delivery_id, payment_id
    FROM freed JOIN deliveries ON deliveries.id = delivery_id
  `.execute(transaction)
  return rows
}

const isAnyHeld = async (transaction: Transaction<Schema>, endpoint: Endpoint): Promise<boolean> => {
  const held = await transaction
    .selectFrom('to_deliver')
    .select('delivery_id')
    .where('partner_id', '=', endpoint.partner_id)
    .where('host', '=', endpoint.host)
    .where('held_at', 'is not', null)
    .limit(1)
    .executeTakeFirst()
  return held !== undefined
}

/** Deletes the row of a healthy endpoint; one that failed since it came back keeps its failures. */
const close = async (transaction: Transaction<Schema>, endpoint: DueEndpoint): Promise<void> => {
  if (endpoint.failures > 0)
    await updateEndpoint(transaction, endpoint)
      .set({ state: 'closed', opens: 0, release_per_second: null, changed_at: sql<Date>`now()` })
      .execute()
  else
    await transaction
      .deleteFrom('endpoints')
      .where('partner_id', '=', endpoint.partner_id)
      .where('host', '=', endpoint.host)
      .execute()
}

const updateEndpoint = (transaction: Transaction<Schema>, { partner_id, host }: Endpoint) =>
  transaction.updateTable('endpoints').where('partner_id', '=', partner_id).where('host', '=', host)
