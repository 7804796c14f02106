import { sql } from 'kysely'
import type { Database } from '../../database/connect.ts'
import { givenRows } from '../../database/given-rows.ts'
import type { DeliveryStateName } from '../../database/schema/deliveries.ts'
import type { RowOf } from '../../database/schema/schema.ts'
import { crashPoint } from '../../runtime/crash-point.ts'
import type { Plan } from './plan.ts'
import type { PostResult } from './post.ts'

// The two statements of an attempt: one claims its delivery and writes it down as started, one records what came of it.

/** An attempt that its holder, and nobody else, may now make: its delivery's row, and that it is written down as started. */
export type Claim = RowOf<
  'deliveries',
  | 'id'
  | 'payment_id'
  | 'partner_id'
  | 'host'
  | 'webhook_id'
  | 'callback_url'
  | 'body'
  | 'attempts'
  | 'schedule_from'
> &
  RowOf<'attempts', 'started_at'> & {
    /** True when the attempt before was never recorded: its dispatcher died, and its outcome is unknown. */
    is_after_lost: boolean
    /** True when its endpoint has failed recently. */
    is_troubled: boolean
  }

/**
 * How long a claim is its holder's alone, seconds: above the longest POST and its recording; and, with the moment until
 * another dispatcher has found it, below the minute by which the death of its holder may delay a delivery.
 */
export const LEASE_SECONDS = 55

/** What is due, not held, and not leased by another. */
export const IS_FREE = sql<boolean>`due_at <= now() AND leased_until <= now() AND held_at IS NULL`

/**
 * The same of deliveries that are named: put so that no index knows it. Else the one on `due_at` is read too, all of
 * what is due for the few that are named: the longer the backlog, the slower each claim.
 */
export const NAMED_IS_FREE = sql`(${IS_FREE}) IS TRUE`

/** Whether something may pass to an endpoint: it is healthy, or ramping up, or this is the probe. */
const PASSES = sql`
  endpoints.partner_id IS NULL OR endpoints.paused_at IS NULL AND (
    endpoints.state IN ('closed', 'ramping')
    OR endpoints.state = 'half_open' AND endpoints.probe_delivery_id = named.delivery_id
  )
`

/**
 * Claims the deliveries among the given that are due and free; the others are another's, not due, or gone. What may not
 * pass to its endpoint, for that is down or paused, is held instead: it uses up no attempt, and waits to be released.
 *
 * Leases, counts the attempt and writes it down as started, all in one statement, so in one transaction that is durable
 * before the first byte is sent. `started_at` is cut to ms, for it comes back as a key when the attempt is recorded.
 */
export const claimDeliveries = async (database: Database, ids: readonly bigint[]): Promise<Claim[]> => {
  crashPoint('claim.before_commit')
  const { rows } = await sql<Claim>`
    WITH named AS MATERIALIZED (
      SELECT delivery_id, partner_id, host, leased_until FROM to_deliver
      WHERE delivery_id = ANY (${ids}::bigint[]) AND ${NAMED_IS_FREE}
      ORDER BY delivery_id FOR UPDATE SKIP LOCKED
    ),
    free AS MATERIALIZED (
      SELECT delivery_id, leased_until, endpoints.partner_id IS NOT NULL AS is_troubled, ${PASSES} AS passes
      FROM named LEFT JOIN endpoints USING (partner_id, host)
    ),
    leased AS (
      UPDATE to_deliver SET leased_until = now() + make_interval(secs => ${LEASE_SECONDS}), held_at = NULL
      WHERE delivery_id = ANY (ARRAY(SELECT delivery_id FROM free WHERE passes))
    ),
    held AS (
      UPDATE to_deliver SET held_at = now() WHERE delivery_id = ANY (ARRAY(SELECT delivery_id FROM free WHERE NOT passes))
    ),
    counted AS (
      UPDATE deliveries SET attempts = attempts + 1
      FROM free WHERE deliveries.id = free.delivery_id AND passes
      RETURNING deliveries.id, payment_id, partner_id, host, webhook_id, callback_url, body, attempts, schedule_from,
                free.leased_until > '-infinity' AS is_after_lost, is_troubled
    ),
    started AS (
      INSERT INTO attempts (delivery_id, number, started_at)
      SELECT id, attempts, date_trunc('milliseconds', now()) FROM counted
      RETURNING delivery_id, started_at
    )
    SELECT id, payment_id, partner_id, host, webhook_id, callback_url, body, attempts, schedule_from, started_at,
           is_after_lost, is_troubled
    FROM counted JOIN started ON started.delivery_id = counted.id
  `.execute(database)
  crashPoint('claim.after_commit', rows.length)
  return rows
}

/** An attempt that was made. */
export type FinishedAttempt = { claim: Claim; result: PostResult; plan: Plan }

/** What the record did to the delivery. */
export type Recorded = {
  /** False: a later attempt has been claimed meanwhile, and what becomes of the delivery is that one's to say. */
  isCurrent: boolean
  /** When the next attempt is due, by the database's clock; null when none is. */
  nextAttemptAt: Date | null
}

/**
 * Records attempts in one statement, so in one transaction: each attempt as finished, its delivery's state and next
 * time, the duty moved or deleted, and what died put among the dead letters. Guarded by the attempt's number, and by its
 * being finished here: repeated, or done after the lease ran out and another dispatcher went on, it changes nothing.
 * Returns one result an attempt, in their order.
 */
export const recordAttempts = async (
  database: Database,
  attempts: readonly FinishedAttempt[],
): Promise<Recorded[]> => {
  crashPoint('record_attempt.before_commit')
  const { rows } = await sql<RowOf<'deliveries', 'id' | 'attempts' | 'next_attempt_at'>>`
    WITH given AS (SELECT * FROM ${given(attempts)}),
    locked AS MATERIALIZED (
      SELECT delivery_id FROM to_deliver WHERE delivery_id = ANY (ARRAY(SELECT delivery_id FROM given))
      ORDER BY delivery_id FOR UPDATE
    ),
    held AS (
      SELECT given.* FROM given WHERE delivery_id = ANY (ARRAY(SELECT delivery_id FROM locked))
    ),
    finished AS (
      UPDATE attempts
      SET finished_at = now(), duration_ms = given.duration_ms, status = given.status, address = given.address,
          error_class = given.error_class, answer = given.answer
      FROM given
      WHERE attempts.delivery_id = given.delivery_id AND attempts.number = given.number
        AND attempts.started_at = given.started_at AND attempts.finished_at IS NULL
        AND attempts.started_at >= ${earliestStart(attempts)}
        -- Duties are locked first, in their order: else two that record and claim would wait for each other.
        AND (SELECT count(*) FROM locked) >= 0
      RETURNING attempts.delivery_id
    ),
    moved AS (
      UPDATE deliveries
      SET state = held.state,
          next_attempt_at = CASE WHEN held.state = 'pending' THEN now() + make_interval(secs => held.delay_seconds) END,
          ended_at = CASE WHEN held.state <> 'pending' THEN now() END,
          dead_reason = held.dead_reason
      FROM held
      WHERE deliveries.id = held.delivery_id AND deliveries.attempts = held.number AND deliveries.state = 'pending'
        AND held.delivery_id = ANY (ARRAY(SELECT delivery_id FROM finished))
      RETURNING deliveries.id, deliveries.attempts, deliveries.next_attempt_at, deliveries.partner_id, deliveries.host,
                deliveries.dead_reason, held.error_class
    ),
    moved_duties AS (
      UPDATE to_deliver
      SET (due_at, publish_at, leased_until) = (
        SELECT next_attempt_at, next_attempt_at, '-infinity'::timestamptz FROM moved WHERE id = delivery_id
      )
      WHERE delivery_id = ANY (ARRAY(SELECT id FROM moved WHERE next_attempt_at IS NOT NULL))
    ),
    ended_duties AS (
      DELETE FROM to_deliver WHERE delivery_id = ANY (ARRAY(SELECT id FROM moved WHERE next_attempt_at IS NULL))
    ),
    dead AS (
      INSERT INTO dead_letters (delivery_id, partner_id, host, error_class, reason)
      SELECT id, partner_id, host, error_class, dead_reason FROM moved WHERE dead_reason IS NOT NULL
      ON CONFLICT (delivery_id)
      DO UPDATE SET error_class = excluded.error_class, reason = excluded.reason, at = excluded.at
    )
    SELECT id, attempts, next_attempt_at FROM moved
    UNION ALL ${RECORDED_BEFORE}
  `.execute(database)
  crashPoint('record_attempt.after_commit')
  const moved = new Map(rows.map((row) => [keyOf(row.id, row.attempts), row]))
  return attempts.map(({ claim }) => {
    const row = moved.get(keyOf(claim.id, claim.attempts))
    return { isCurrent: row !== undefined, nextAttemptAt: row?.next_attempt_at ?? null }
  })
}

/**
 * What the same record did when it was made before, of `given`, `locked` and `finished`: its commit took place, and the
 * answer was lost with the connection. Else nobody would hear of it. What an operator has sent again since is another
 * matter, and stays as it is.
 */
const RECORDED_BEFORE = sql`
  SELECT deliveries.id, deliveries.attempts, deliveries.next_attempt_at FROM given
  JOIN deliveries ON deliveries.id = given.delivery_id
  WHERE given.delivery_id <> ALL (ARRAY(SELECT delivery_id FROM finished))
    AND (given.state = 'pending') = (given.delivery_id = ANY (ARRAY(SELECT delivery_id FROM locked)))
    AND deliveries.attempts = given.number AND deliveries.state = given.state
    AND deliveries.dead_reason IS NOT DISTINCT FROM given.dead_reason
`

const keyOf = (deliveryId: bigint, attempt: number): string => `${deliveryId}:${attempt}`

/** Lets the planner leave out the months before: `attempts` is partitioned by the start. */
const earliestStart = (attempts: readonly FinishedAttempt[]): Date =>
  new Date(Math.min(...attempts.map(({ claim }) => claim.started_at.getTime())))

const STATE_AFTER: Record<Plan['kind'], DeliveryStateName> = {
  delivered: 'delivered',
  retry: 'pending',
  dead: 'dead',
}

const given = (attempts: readonly FinishedAttempt[]) =>
  givenRows(attempts, {
    delivery_id: ['attempts.delivery_id', ({ claim }) => claim.id],
    number: ['attempts.number', ({ claim }) => claim.attempts],
    started_at: ['attempts.started_at', ({ claim }) => claim.started_at],
    duration_ms: ['attempts.duration_ms', ({ result }) => result.durationMs],
    status: ['attempts.status', ({ result }) => result.status],
    address: ['attempts.address', ({ result }) => result.address],
    error_class: ['attempts.error_class', ({ result }) => result.errorClass],
    answer: ['attempts.answer', ({ result }) => result.answer],
    state: ['deliveries.state', ({ plan }) => STATE_AFTER[plan.kind]],
    delay_seconds: ['float8', ({ plan }) => (plan.kind === 'retry' ? plan.delayMs / 1000 : null)],
    dead_reason: ['deliveries.dead_reason', ({ plan }) => (plan.kind === 'dead' ? plan.reason : null)],
  })
