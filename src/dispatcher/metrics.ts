import { type Expression, type SqlBool, sql } from 'kysely'
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
 * Shows what is still to be delivered. It is asked of Postgres when the metrics are read: it is the same whichever
 * dispatcher is asked, and has no value while Postgres is away.
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
    help: 'How long ago the outcome became known whose delivery has waited longest; 0 when none waits',
    registers,
  })
  const endpoints = new Gauge({
    name: 'gateway_troubled_endpoints',
    help: 'Endpoints (a partner and a callback host) that are not healthy, by state',
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
      overdueAge.set(backlog?.overdueSeconds ?? Number.NaN)
      openAge.set(backlog?.openSeconds ?? Number.NaN)
    },
  })
}

const DUE = ['now', 'later', 'held', 'leased'] as const
const STATES = ['open', 'half_open', 'ramping', 'paused'] as const

type Backlog = Record<
  (typeof DUE)[number] | (typeof STATES)[number] | 'overdueSeconds' | 'openSeconds',
  number
>

const NOW = sql<Date>`now()`

const count = (which: Expression<SqlBool>) => sql<number>`count(*) FILTER (WHERE ${which})::float8`

const readBacklog = async (database: Database): Promise<Backlog> => {
  const { now, later, held, leased, ...oldest } = await database
    .selectFrom('to_deliver')
    .select((eb) => {
      const isFree = eb.and([eb('held_at', 'is', null), eb('leased_until', '<=', NOW)])
      return [
        count(eb.and([isFree, eb('due_at', '<=', NOW)])).as('now'),
        count(eb.and([isFree, eb('due_at', '>', NOW)])).as('later'),
        count(eb('held_at', 'is not', null)).as('held'),
        count(eb('leased_until', '>', NOW)).as('leased'),
        eb.fn.min('due_at').filterWhere(isFree).as('dueAt'),
        eb.fn.min('delivery_id').as('id'),
        NOW.as('at'),
      ]
    })
    .executeTakeFirstOrThrow()
  const troubled = await database
    .selectFrom('endpoints')
    .select((eb) => [
      count(eb('state', '=', 'open')).as('open'),
      count(eb('state', '=', 'half_open')).as('half_open'),
      count(eb('state', '=', 'ramping')).as('ramping'),
      count(eb('paused_at', 'is not', null)).as('paused'),
    ])
    .executeTakeFirstOrThrow()
  const delivery = await database
    .selectFrom('deliveries')
    .select('created_at')
    .where('id', '=', oldest.id)
    .executeTakeFirst()
  const secondsSince = (from: Date | null | undefined): number =>
    from ? Math.max(0, (oldest.at.getTime() - from.getTime()) / 1000) : 0
  const overdueSeconds = secondsSince(oldest.dueAt)
  const openSeconds = secondsSince(delivery?.created_at)
  return { now, later, held, leased, ...troubled, overdueSeconds, openSeconds }
}
