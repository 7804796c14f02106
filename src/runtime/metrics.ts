import { collectDefaultMetrics, Registry } from 'prom-client'

/**
 * A process's own set of metrics, with what Node knows of itself (CPU, memory, event loop) under `gateway_`. Passed to
 * whoever counts something: names start with `gateway_` and end with their unit.
 */
export const createMetrics = (): Registry => {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry, prefix: 'gateway_' })
  return registry
}
