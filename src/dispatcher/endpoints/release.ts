import { sql, type Transaction } from 'kysely'
import type { Database } from '../../database/connect.ts'
import type { Schema } from '../../database/schema/schema.ts'
import { crashPoint } from '../../runtime/crash-point.ts'
import type { Endpoint } from '../../values/endpoint.ts'
import { LEASE_SECONDS } from '../deliver/claim.ts'
import type { Offer } from '../deliver/fair-queue.ts'
import { type EndpointChange, NO_DELIVERY } from '../report.ts'
import { FIRST_RELEASE, MOST_FAILURES, MOST_RELEASE } from './breaker.ts'

/** What time did to endpoints, and what it let go: for whoever released it to attempt at once, else others find it. */
export type Released = { offers: Offer[]; changes: EndpointChange[] }

/** Endpoints that one round takes. */
export const ENDPOINTS_A_ROUND = 20

/** A probe's outcome is waited for until its lease has run out: then whoever had it is gone. */
const PROBE_SECONDS = LEASE_SECONDS + 5

/** Held deliveries are let go several times a second, a part of the second's number each time. */
const STEPS_A_SECOND = 4

/** What is let go here is not told to the queue: this process has it, and the sweep is for when that is gone. */
const SWEEP_SECONDS = 120

type DueRow = {
  partner_id: bigint
  host: string
  state: 'open' | 'half_open' | 'ramping'
  failures: number
  release_per_second: number | null
  /** True when this rate has lasted for a second. */
  is_seasoned: boolean
}

/**
 * Does what has become due by time at endpoints that are not paused: lets a probe pass to one that has been open for long
 * enough, and lets go what is held for one that is ramping. In one transaction, with each endpoint locked, so that whichever
 * of many dispatchers comes first does it.
 */
export const releaseDue = async (database: Database): Promise<Released> => {
  const released = await database.transaction().execute(async (transaction) => {
    const due = await lockDue(transaction)
    const steps: Released[] = []
    for (const row of due) {
      const endpoint = { partnerId: row.partner_id, host: row.host }
      steps.push(
        row.state === 'ramping'
          ? await letSomeGo(transaction, endpoint, row)
          : await probe(transaction, endpoint),
      )
    }
    crashPoint('release.before_commit', due.length)
    return {
      offers: steps.flatMap(({ offers }) => offers),
      changes: steps.flatMap(({ changes }) => changes),
    }
  })
  crashPoint('release.after_commit', released.offers.length + released.changes.length)
  return released
}

/** By how long each is due: one that is due again soon after its turn stands behind those that had none yet. */
const lockDue = async (transaction: Transaction<Schema>): Promise<DueRow[]> => {
  const { rows } = await sql<DueRow>`
    SELECT partner_id, host, state, failures, release_per_second,
           coalesce(release_since <= now() - interval '1 second', false) AS is_seasoned
    FROM endpoints
    WHERE paused_at IS NULL
      AND CASE state
        WHEN 'open' THEN open_until <= now()
        WHEN 'half_open' THEN probing_until <= now()
        WHEN 'ramping' THEN coalesce(release_at <= now(), true)
        ELSE false
      END
    ORDER BY CASE state WHEN 'open' THEN open_until WHEN 'half_open' THEN probing_until ELSE release_at END NULLS FIRST
    LIMIT ${ENDPOINTS_A_ROUND} FOR UPDATE SKIP LOCKED
  `.execute(transaction)
  return rows
}

/**
 * Lets the held delivery that has been due for longest pass alone. With none that is due there is nothing to ask with: the
 * endpoint is closed, and the next failure opens it again.
 */
const probe = async (transaction: Transaction<Schema>, endpoint: Endpoint): Promise<Released> => {
  const [freed] = await free(transaction, endpoint, 1)
  if (freed === undefined) {
    await sql`
      UPDATE endpoints SET state = 'closed', failures = ${MOST_FAILURES - 1}, probe_delivery_id = NULL, changed_at = now()
      WHERE partner_id = ${endpoint.partnerId} AND host = ${endpoint.host}
    `.execute(transaction)
    return { offers: [], changes: [changeOf(endpoint, 'untried', 'none_held')] }
  }
  await sql`
    UPDATE endpoints
    SET state = 'half_open', probe_delivery_id = ${freed.deliveryId}, changed_at = now(),
        probing_until = now() + make_interval(secs => ${PROBE_SECONDS})
    WHERE partner_id = ${endpoint.partnerId} AND host = ${endpoint.host}
  `.execute(transaction)
  const change: EndpointChange = { ...freed, to: 'half_open', cause: 'time', openMs: null }
  return { offers: [freed], changes: [change] }
}

/** Lets go this step's share of what is held; the rate doubles each second. With nothing held any more the endpoint is well. */
const letSomeGo = async (
  transaction: Transaction<Schema>,
  endpoint: Endpoint,
  row: DueRow,
): Promise<Released> => {
  const before = row.release_per_second ?? FIRST_RELEASE
  const rate = row.is_seasoned ? Math.min(before * 2, MOST_RELEASE) : before
  const share = Math.max(1, Math.round(rate / STEPS_A_SECOND))
  const offers = await free(transaction, endpoint, share)
  if (offers.length < share && !(await isAnyHeld(transaction, endpoint))) {
    await close(transaction, endpoint, row.failures)
    return { offers, changes: [changeOf(endpoint, 'closed', 'none_held')] }
  }
  await sql`
    UPDATE endpoints
    SET release_per_second = ${rate},
        release_since = CASE WHEN ${row.is_seasoned} OR release_since IS NULL THEN now() ELSE release_since END,
        release_at = greatest(now(), coalesce(release_at, now()) + make_interval(secs => ${share / rate}))
    WHERE partner_id = ${endpoint.partnerId} AND host = ${endpoint.host}
  `.execute(transaction)
  return { offers, changes: [] }
}

/** Lets go at most `limit` held deliveries of the endpoint that are due, the longest due first. */
const free = async (
  transaction: Transaction<Schema>,
  endpoint: Endpoint,
  limit: number,
): Promise<(Offer & { paymentId: bigint })[]> => {
  const { rows } = await sql<{ delivery_id: bigint; payment_id: bigint }>`
    WITH longest AS (
      SELECT delivery_id FROM to_deliver
      WHERE partner_id = ${endpoint.partnerId} AND host = ${endpoint.host} AND held_at IS NOT NULL AND due_at <= now()
      ORDER BY due_at LIMIT ${limit} FOR UPDATE SKIP LOCKED
    ),
    freed AS (
      UPDATE to_deliver SET held_at = NULL, publish_at = now() + make_interval(secs => ${SWEEP_SECONDS})
      FROM longest WHERE to_deliver.delivery_id = longest.delivery_id
      RETURNING to_deliver.delivery_id
    )
    SELECT delivery_id, payment_id FROM freed JOIN deliveries ON deliveries.id = delivery_id
  `.execute(transaction)
  return rows.map((row) => ({
    partnerId: endpoint.partnerId,
    host: endpoint.host,
    deliveryId: row.delivery_id,
    paymentId: row.payment_id,
  }))
}

const isAnyHeld = async (transaction: Transaction<Schema>, endpoint: Endpoint): Promise<boolean> => {
  const { rows } = await sql`
    SELECT 1 FROM to_deliver
    WHERE partner_id = ${endpoint.partnerId} AND host = ${endpoint.host} AND held_at IS NOT NULL LIMIT 1
  `.execute(transaction)
  return rows.length > 0
}

const close = async (
  transaction: Transaction<Schema>,
  { partnerId, host }: Endpoint,
  failures: number,
): Promise<void> => {
  if (failures === 0)
    await sql`DELETE FROM endpoints WHERE partner_id = ${partnerId} AND host = ${host}`.execute(transaction)
  else
    await sql`
      UPDATE endpoints SET state = 'closed', opens = 0, release_per_second = NULL, changed_at = now()
      WHERE partner_id = ${partnerId} AND host = ${host}
    `.execute(transaction)
}

const changeOf = (
  endpoint: Endpoint,
  to: EndpointChange['to'],
  cause: EndpointChange['cause'],
): EndpointChange => ({ ...endpoint, to, cause, ...NO_DELIVERY })
