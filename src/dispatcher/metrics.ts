import { sql } from 'kysely'
import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import type { Database } from '../database/connect.ts'
import type { Plan } from './deliver/plan.ts'
import type { PostResult } from './deliver/post.ts'

export type DispatcherMetrics = {
  /** Counts an attempt that was recorded. */
  attempted(plan: Plan, result: Pick<PostResult, 'errorClass' | 'durationMs'>): void
  /** Counts an attempt whose dispatcher died before it was recorded. */
  lost(): void
}

/** Up to the longest attempt, seconds. */
const DURATION_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15]

/** What the dispatcher counts of its attempts. */
export const createDispatcherMetrics = (registry: Registry): DispatcherMetrics => {
  const registers = [registry]
  const attempts = new Counter({
    name: 'gateway_delivery_attempts_total',
    help: 'Attempts to deliver, by what follows (delivered, retry, dead, unknown) and by class of error (none for a 2xx)',
    labelNames: ['outcome', 'error_class'] as const,
    registers,
  })
  const duration = new Histogram({
    name: 'gateway_delivery_attempt_duration_seconds',
    help: 'How long attempts took, from their start to the end of the answer',
    labelNames: ['outcome'] as const,
    buckets: DURATION_BUCKETS,
    registers,
  })
  return {
    attempted: (plan, { errorClass, durationMs }) => {
      attempts.inc({ outcome: plan.kind, error_class: errorClass ?? 'none' })
      duration.observe({ outcome: plan.kind }, durationMs / 1000)
    },
    lost: () => attempts.inc({ outcome: 'unknown', error_class: 'none' }),
  }
}

/**
 * Shows what is still to be delivered. It is asked of Postgres when the metrics are read: it is the same whichever dispatcher is
 * asked, and has no value while Postgres is away.
 */
export const showBacklog = (registry: Registry, database: Database): void => {
  const registers = [registry]
  const overdueAge = new Gauge({
    name: 'gateway_oldest_overdue_delivery_age_seconds',
    help: 'How long the delivery that has waited longest has been due, neither held nor under way; 0 when none is due',
    registers,
  })
  const openAge = new Gauge({
    name: 'gateway_oldest_open_delivery_age_seconds',
    help: 'How long ago the outcome became known that has waited longest to be told; 0 when none waits',
    registers,
  })
  const endpoints = new Gauge({
    name: 'gateway_troubled_endpoints',
    help: 'Endpoints (a partner and a callback host) that are not well, by state',
    labelNames: ['state'] as const,
    registers,
  })
  const open = new Gauge({
    name: 'gateway_open_deliveries',
    help: 'Deliveries that have not ended: due now, later, held for their endpoint, or leased by a dispatcher',
    labelNames: ['due'] as const,
    registers,
    collect: async () => {
      const backlog = await readBacklog(database).catch(() => null)
      for (const due of DUE) open.set({ due }, backlog?.[due] ?? Number.NaN)
      for (const state of STATES) endpoints.set({ state }, backlog?.[state] ?? Number.NaN)
      overdueAge.set(backlog?.overdue_seconds ?? Number.NaN)
      openAge.set(backlog?.open_seconds ?? Number.NaN)
    },
  })
}

const DUE = ['now', 'later', 'held', 'leased'] as const
const STATES = ['open', 'half_open', 'ramping', 'paused'] as const

type Backlog = Record<
  (typeof DUE)[number] | (typeof STATES)[number] | 'overdue_seconds' | 'open_seconds',
  number
>

const readBacklog = async (database: Database): Promise<Backlog | null> => {
  const { rows } = await sql<Backlog>`
    WITH duties AS (
      SELECT count(*) FILTER (WHERE is_free AND due_at <= now())::float8 AS "now",
             count(*) FILTER (WHERE is_free AND due_at > now())::float8 AS "later",
             count(*) FILTER (WHERE held_at IS NOT NULL)::float8 AS "held",
             count(*) FILTER (WHERE leased_until > now())::float8 AS "leased",
             extract(epoch FROM now() - min(due_at) FILTER (WHERE is_free)) AS due_seconds,
             min(delivery_id) AS oldest_id
      FROM (SELECT delivery_id, due_at, held_at, leased_until, held_at IS NULL AND leased_until <= now() AS is_free FROM to_deliver) duties
    ),
    troubled AS (
      SELECT count(*) FILTER (WHERE state = 'open')::float8 AS "open",
             count(*) FILTER (WHERE state = 'half_open')::float8 AS half_open,
             count(*) FILTER (WHERE state = 'ramping')::float8 AS ramping,
             count(*) FILTER (WHERE paused_at IS NOT NULL)::float8 AS paused
      FROM endpoints
    )
    SELECT duties.*, troubled.*, greatest(0, coalesce(due_seconds, 0))::float8 AS overdue_seconds,
           greatest(0, coalesce(
             (SELECT extract(epoch FROM now() - created_at) FROM deliveries WHERE id = oldest_id), 0
           ))::float8 AS open_seconds
    FROM duties, troubled
  `.execute(database)
  return rows[0] ?? null
}
