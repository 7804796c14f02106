import { Counter, Histogram, type Registry } from 'prom-client'
import { ERROR_CLASSES } from '../values/error-class.ts'
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
  attempts.inc({ outcome: 'delivered', error_class: 'none' }, 0)
  for (const error_class of ERROR_CLASSES) attempts.inc({ outcome: 'retry', error_class }, 0)
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
