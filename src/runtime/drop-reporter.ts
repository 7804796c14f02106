import { Counter, type Registry } from 'prom-client'
import type { CutReason } from './connection-guard.ts'
import type { Log } from './log.ts'

/** At most one line of the log for each reason in this interval, ms: an attacker must not fill the log. */
const REPORT_EVERY_MS = 60_000

/**
 * Counts cut connections of the server that metrics and the log call `door`, and reports each reason's first, then how
 * many a minute.
 */
export const createDropReporter = (options: {
  door: 'rest' | 'grpc' | 'connect' | 'operations' | 'console'
  log: Log
  nowMs: () => number
  /** Where they are counted; left out: nowhere. */
  registry?: Registry | undefined
}): ((reason: CutReason) => void) => {
  const { door, registry } = options
  const counter = registry && countersOf(registry)
  const unreported = new Map<CutReason, { count: number; nextMs: number }>()
  return (reason) => {
    counter?.inc({ door, reason })
    const state = unreported.get(reason) ?? { count: 0, nextMs: Number.NEGATIVE_INFINITY }
    state.count += 1
    unreported.set(reason, state)
    if (options.nowMs() < state.nextMs) return
    options.log.warn({ event: 'connections_cut', door, reason, connections: state.count })
    state.count = 0
    state.nextMs = options.nowMs() + REPORT_EVERY_MS
  }
}

const CUT = 'gateway_connections_cut_total'

/** The servers of a process share one counter. */
const countersOf = (registry: Registry): Counter => {
  const known = registry.getSingleMetric(CUT)
  if (known instanceof Counter) return known
  return new Counter({
    name: CUT,
    help: 'Connections that were cut to protect a listener, by listener (`door`) and reason',
    labelNames: ['door', 'reason'],
    registers: [registry],
  })
}
