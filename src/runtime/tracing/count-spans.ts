import { Counter, type Registry } from 'prom-client'
import type { Log } from '../log.ts'

/** Counts what becomes of spans, and says so in the log where they are lost. */
export type SpanCounts = {
  /** A request ended; `error` null: the collector took its spans. */
  sent(spans: number, error: Error | null): void
  /** A span found as many waiting as may. */
  didNotFit(): void
  /** No more spans come. */
  ended(): void
}

/** At most one line about lost spans in this interval, ms, however often the collector comes and goes. */
const REPORT_EVERY_MS = 60_000

export const createSpanCounts = (options: {
  registry: Registry
  log: Log
  nowMs: () => number
}): SpanCounts => {
  const { registry, log, nowMs } = options
  const exported = new Counter({
    name: 'gateway_spans_exported_total',
    help: 'Spans that the collector of traces took',
    registers: [registry],
  })
  const dropped = new Counter({
    name: 'gateway_spans_dropped_total',
    help: 'Spans that were dropped: too many waited (queue_full), or the collector did not take them (not_exported)',
    labelNames: ['reason'] as const,
    registers: [registry],
  })
  /** Lost since the line that says so; null: none is. */
  let lost: number | null = null
  let quietUntilMs = Number.NEGATIVE_INFINITY

  const lose = (spans: number, reason: string): void => {
    if (lost !== null) {
      lost += spans
      return
    }
    if (nowMs() < quietUntilMs) return
    quietUntilMs = nowMs() + REPORT_EVERY_MS
    lost = spans
    log.warn({ event: 'spans_lost', reason })
  }
  return {
    sent: (spans, error) => {
      if (error !== null) {
        dropped.inc({ reason: 'not_exported' }, spans)
        lose(spans, error.message)
        return
      }
      exported.inc(spans)
      if (lost !== null) log.info({ event: 'spans_exported_again', lost })
      lost = null
    },
    didNotFit: () => {
      dropped.inc({ reason: 'queue_full' })
      lose(1, 'queue_full')
    },
    ended: () => {
      if (lost !== null) log.info({ event: 'spans_lost_at_end', lost })
    },
  }
}
