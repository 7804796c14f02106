import { sql } from 'kysely'
import type { Database } from '../../database/connect.ts'
import { givenRows } from '../../database/given-rows.ts'
import type { DeliveryStateName } from '../../database/schema/deliveries.ts'
import type { RowOf } from '../../database/schema/schema.ts'
import { crashPoint } from '../../runtime/crash-point.ts'
import type { Claim } from './claim.ts'
import type { Plan } from './plan.ts'
import type { PostResult } from './post.ts'

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
 * time, the duty moved or deleted, and what died put among the dead letters. Guarded by the attempt's number: repeated,
 * or done after the lease ran out and another dispatcher went on, it changes nothing. Returns one result an attempt, in
 * their order.
 */
export const recordAttempts = async (
  database: Database,
  attempts: readonly FinishedAttempt[],
): Promise<Recorded[]> => {
  crashPoint('record_attempt.before_commit')
  const { rows } = await sql<RowOf<'deliveries', 'id' | 'attempts' | 'next_attempt_at'>>`
    WITH given AS (SELECT * FROM ${given(attempts)}),
    held AS (
      SELECT given.* FROM given JOIN to_deliver ON to_deliver.delivery_id = given.delivery_id
      ORDER BY given.delivery_id FOR UPDATE OF to_deliver
    ),
    finished AS (
      UPDATE attempts
      SET finished_at = now(), duration_ms = given.duration_ms, status = given.status, address = given.address,
          error_class = given.error_class, answer = given.answer
      FROM given
      WHERE attempts.delivery_id = given.delivery_id AND attempts.number = given.number
        AND attempts.started_at = given.started_at AND attempts.finished_at IS NULL
        AND attempts.started_at >= ${earliestStart(attempts)}
    ),
    moved AS (
      UPDATE deliveries
      SET state = held.state,
          next_attempt_at = CASE WHEN held.state = 'pending' THEN now() + make_interval(secs => held.delay_seconds) END,
          ended_at = CASE WHEN held.state <> 'pending' THEN now() END,
          dead_reason = held.dead_reason
      FROM held
      WHERE deliveries.id = held.delivery_id AND deliveries.attempts = held.number AND deliveries.state = 'pending'
      RETURNING deliveries.id, deliveries.attempts, deliveries.next_attempt_at, deliveries.partner_id, deliveries.host,
                deliveries.dead_reason, held.error_class
    ),
    moved_duties AS (
      UPDATE to_deliver
      SET due_at = moved.next_attempt_at, publish_at = moved.next_attempt_at, leased_until = '-infinity'
      FROM moved WHERE to_deliver.delivery_id = moved.id AND moved.next_attempt_at IS NOT NULL
    ),
    ended_duties AS (
      DELETE FROM to_deliver USING moved
      WHERE to_deliver.delivery_id = moved.id AND moved.next_attempt_at IS NULL
    ),
    dead AS (
      INSERT INTO dead_letters (delivery_id, partner_id, host, error_class, reason)
      SELECT id, partner_id, host, error_class, dead_reason FROM moved WHERE dead_reason IS NOT NULL
      ON CONFLICT (delivery_id)
      DO UPDATE SET error_class = excluded.error_class, reason = excluded.reason, at = excluded.at
    )
    SELECT id, attempts, next_attempt_at FROM moved
  `.execute(database)
  crashPoint('record_attempt.after_commit')
  const moved = new Map(rows.map((row) => [keyOf(row.id, row.attempts), row]))
  return attempts.map(({ claim }) => {
    const row = moved.get(keyOf(claim.deliveryId, claim.attempt))
    return { isCurrent: row !== undefined, nextAttemptAt: row?.next_attempt_at ?? null }
  })
}

const keyOf = (deliveryId: bigint, attempt: number): string => `${deliveryId}:${attempt}`

/** Lets the planner leave out the months before: `attempts` is partitioned by the start. */
const earliestStart = (attempts: readonly FinishedAttempt[]): Date =>
  new Date(Math.min(...attempts.map(({ claim }) => claim.startedAt.getTime())))

const STATE_AFTER: Record<Plan['kind'], DeliveryStateName> = {
  delivered: 'delivered',
  retry: 'pending',
  dead: 'dead',
}

const given = (attempts: readonly FinishedAttempt[]) =>
  givenRows(attempts, {
    delivery_id: ['attempts.delivery_id', ({ claim }) => claim.deliveryId],
    number: ['attempts.number', ({ claim }) => claim.attempt],
    started_at: ['attempts.started_at', ({ claim }) => claim.startedAt],
    duration_ms: ['attempts.duration_ms', ({ result }) => result.durationMs],
    status: ['attempts.status', ({ result }) => result.status],
    address: ['attempts.address', ({ result }) => result.address],
    error_class: ['attempts.error_class', ({ result }) => result.errorClass],
    answer: ['attempts.answer', ({ result }) => result.answer],
    state: ['deliveries.state', ({ plan }) => STATE_AFTER[plan.kind]],
    delay_seconds: ['float8', ({ plan }) => (plan.kind === 'retry' ? plan.delayMs / 1000 : null)],
    dead_reason: ['deliveries.dead_reason', ({ plan }) => (plan.kind === 'dead' ? plan.reason : null)],
  })
