import type { ConfigTree } from '../config.ts'

/** The settings of tracing, under the names that its parts have for them. */
export const TRACING_TREE = {
  endpoint: 'OTEL_EXPORTER_OTLP_ENDPOINT',
  tracesEndpoint: 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT',
  exporter: 'OTEL_TRACES_EXPORTER',
  isDisabled: 'OTEL_SDK_DISABLED',
  protocol: 'OTEL_EXPORTER_OTLP_PROTOCOL',
  tracesProtocol: 'OTEL_EXPORTER_OTLP_TRACES_PROTOCOL',
  headers: 'OTEL_EXPORTER_OTLP_HEADERS',
  timeoutMs: 'OTEL_EXPORTER_OTLP_TIMEOUT',
  sampler: 'OTEL_TRACES_SAMPLER',
  samplerArgument: 'OTEL_TRACES_SAMPLER_ARG',
  maxQueue: 'OTEL_BSP_MAX_QUEUE_SIZE',
  delayMs: 'OTEL_BSP_SCHEDULE_DELAY',
  serviceName: 'OTEL_SERVICE_NAME',
  resource: 'OTEL_RESOURCE_ATTRIBUTES',
} as const

/** How spans are made and where they go; times in ms. */
export type TracingConfig = {
  /** Where spans are POSTed. */
  url: string
  protocol: 'http/protobuf' | 'http/json'
  timeoutMs: number
  /** The part of the traces that is kept, 0 to 1. */
  ratio: number
  /** Spans that wait to be sent at most. */
  maxQueue: number
  /** How long they gather. */
  delayMs: number
}

/** Where a collector listens that runs on the same machine, by the standard. */
const USUAL_ENDPOINT = 'http://127.0.0.1:4318'

/** What the settings come to; null: no spans are made. Pure. */
export const toTracingConfig = (given: ConfigTree<typeof TRACING_TREE>): TracingConfig | null => {
  const { endpoint, tracesEndpoint, exporter } = given
  if (given.isDisabled || exporter === 'none') return null
  if (endpoint === null && tracesEndpoint === null && exporter === null) return null
  return {
    url: tracesEndpoint ?? `${(endpoint ?? USUAL_ENDPOINT).replace(/(?<!\/)\/+$/, '')}/v1/traces`,
    protocol: given.tracesProtocol ?? given.protocol,
    timeoutMs: given.timeoutMs,
    ratio: ratioOf(given.sampler, given.samplerArgument),
    maxQueue: given.maxQueue,
    delayMs: given.delayMs,
  }
}

/**
 * With `parentbased_` too it is the trace's id that decides: the trace of a payment is ours from its root on, and what
 * stands above a stage's span is where the span would have come from, not a decision that came along.
 */
const ratioOf = (sampler: string, argument: number): number => {
  if (sampler.endsWith('always_off')) return 0
  return sampler.endsWith('traceidratio') ? argument : 1
}
