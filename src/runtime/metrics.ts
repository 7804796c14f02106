import { collectDefaultMetrics, Gauge, Registry } from 'prom-client'
import { inTime } from './time-limit.ts'

/**
 * A process's own set of metrics, with what Node knows of itself (CPU, memory, event loop) under `gateway_`. Passed to
 * whoever counts something: names start with `gateway_` and end with their unit.
 */
export const createMetrics = (): Registry => {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry, prefix: 'gateway_' })
  return registry
}

/** A gauge as it is shown: its samples are made of a reading, each with its labels; an empty list shows nothing. */
export type ShownGauge<Reading> = {
  name: string
  help: string
  labelNames?: readonly string[]
  samples: (reading: Reading) => readonly Sample[]
}

export type Sample = { labels?: Record<string, string>; value: number }

/** Below the 10 s that Prometheus waits by default: what is late must not cost it all the others, ms. */
const READ_WITHIN_MS = 5_000

/**
 * Shows gauges whose values are read when the metrics are: once a scrape, however many gauges it is for. Each gauge
 * waits for the reading itself, for prom-client writes a gauge as soon as its own `collect` has ended. While the reading
 * fails or is late they have no samples at all, as Prometheus advises: zero would be a lie, and one NaN spoils a sum over replicas.
 * One that is late is the next scrape's too, and not begun again: each would take a connection to Postgres from the work.
 */
export const showReading = <Reading>(
  registry: Registry,
  read: () => Promise<Reading>,
  gauges: readonly ShownGauge<Reading>[],
): void => {
  let underWay: Promise<Reading> | null = null
  const readOnce = (): Promise<{ reading: Reading } | null> => {
    underWay ??= read().finally(() => {
      underWay = null
    })
    return inTime(underWay, READ_WITHIN_MS, () => new Error('late'))
      .then((reading) => ({ reading }))
      .catch(() => null)
  }
  for (const { name, help, labelNames = [], samples } of gauges) {
    const gauge: Gauge = new Gauge({
      name,
      help,
      labelNames,
      registers: [registry],
      collect: async (): Promise<void> => {
        const found = await readOnce()
        gauge.reset()
        // A gauge without labels is 0 after `reset`.
        if (labelNames.length === 0) gauge.remove()
        for (const { labels = {}, value } of found === null ? [] : samples(found.reading))
          gauge.set(labels, value)
      },
    })
  }
}
