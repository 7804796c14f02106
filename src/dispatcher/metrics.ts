import { sql } from 'kysely'
import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import type { Database } from '../database/connect.ts'
import type { ErrorClass } from './classify-error.ts'
import type { Plan } from './plan.ts'

export type DispatcherMetrics = {
  /** Counts an attempt that was recorded. */
  attempted(options: { plan: Plan; errorClass: ErrorClass | null; durationMs: number }): void
  /** Counts an attempt whose dispatcher died before it was recorded. */
  lost(): void
}

/** Up to the longest attempt, seconds. */
const DURATION_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15]

/**
 * What the dispatcher counts. The backlog is asked of Postgres when the metrics are read: it is the same whichever dispatcher
 * is asked, and has no value while Postgres is away.
 */
export const createDispatcherMetrics = (registry: Registry, database: Database): DispatcherMetrics => {
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
  addBacklog(registers, database)
  return {
    attempted: ({ plan, errorClass, durationMs }) => {
      attempts.inc({ outcome: plan.kind, error_class: errorClass ?? 'none' })
      duration.observe({ outcome: plan.kind }, durationMs / 1000)
    },
    lost: () => attempts.inc({ outcome: 'unknown', error_class: 'none' }),
  }
}

const addBacklog = (registers: Registry[], database: Database): void => {
  const overdueAge = new Gauge({
    name: 'gateway_oldest_overdue_delivery_age_seconds',
    help: 'How long the delivery that has waited longest has been due; 0 when none is due',
    registers,
  })
  const open = new Gauge({
    name: 'gateway_open_deliveries',
    help: 'Deliveries that are neither delivered nor dead: due now, or to be attempted later',
    labelNames: ['due'] as const,
    registers,
    collect: async () => {
      const backlog = await readBacklog(database).catch(() => null)
      open.set({ due: 'now' }, backlog?.dueNow ?? Number.NaN)
      open.set({ due: 'later' }, backlog?.dueLater ?? Number.NaN)
      overdueAge.set(backlog?.oldestAgeSeconds ?? Number.NaN)
    },
  })
}

type Backlog = { dueNow: number; dueLater: number; oldestAgeSeconds: number }

const readBacklog = async (database: Database): Promise<Backlog | null> => {
  const { rows } = await sql<Backlog>`
    SELECT count(*) FILTER (WHERE due_at <= now())::float8 AS "dueNow",
           count(*) FILTER (WHERE due_at > now())::float8 AS "dueLater",
           greatest(0, coalesce(extract(epoch FROM now() - min(due_at)), 0))::float8 AS "oldestAgeSeconds"
    FROM to_deliver
  `.execute(database)
  return rows[0] ?? null
}
