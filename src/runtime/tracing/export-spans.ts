import { randomUUID } from 'node:crypto'
import {
  ROOT_CONTEXT,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  trace,
} from '@opentelemetry/api'
import { OTLPTraceExporter as JsonExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { OTLPTraceExporter as ProtobufExporter } from '@opentelemetry/exporter-trace-otlp-proto'
import {
  defaultResource,
  detectResources,
  envDetector,
  type Resource,
  resourceFromAttributes,
} from '@opentelemetry/resources'
import {
  BatchSpanProcessor,
  type IdGenerator,
  type SpanExporter,
  type SpanProcessor,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace'
import { createRedact, type Redact } from '../redact.ts'
import { inTime } from '../time-limit.ts'
import { createSpanCounts, type SpanCounts } from './count-spans.ts'
import type { Place } from './places.ts'
import type { Attributes, EndedSpan, SpanOptions, SpanSink } from './tracing.ts'
import type { TracingConfig } from './tracing-config.ts'

// The SDK of OpenTelemetry. It is loaded where spans are made and nowhere else.

/** Spans that one request carries at most. */
const BATCH = 512

/** How long the last spans may take at the end, ms: nothing else waits for them, but the end of the process. */
const LAST_MS = 3_000

/** How much longer a request that hangs may keep the process, ms. */
const END_MS = 500

/** Payments that one batch accepts at most: its span links to each. */
const MAX_LINKS = 512

/** Opens the way to the collector. What does not fit, or the collector does not take, is dropped, counted and reported. */
export const openSpanExport = (
  options: Omit<SpanOptions, 'config'> & { config: TracingConfig },
): SpanSink => {
  const { config, name, registry, log } = options
  const counts = createSpanCounts({ registry, log, nowMs: () => performance.now() })
  const ids = createGivenIds()
  const provider = new TracerProvider({
    resource: resourceOf(name),
    sampler: new TraceIdRatioBasedSampler(config.ratio),
    idGenerator: ids,
    spanLimits: { linkCountLimit: MAX_LINKS },
    spanProcessors: [createProcessor(config, counts)],
  })
  const tracer = provider.getTracer('mpesa-gateway')
  const redact = createRedact({ secrets: options.secrets, urlPaths: true })

  const take: SpanSink['take'] = (span, { startMs, endMs }) => {
    ids.next = span.place
    const { parent } = span
    const context = parent === null ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, toContext(parent))
    const started = tracer.startSpan(
      span.name,
      {
        kind: KINDS[span.kind],
        startTime: startMs,
        links: (span.links ?? []).map((link) => ({ context: toContext(link) })),
        attributes: toAttributes(span, redact),
      },
      context,
    )
    if (span.error !== undefined) started.setStatus({ code: SpanStatusCode.ERROR })
    started.end(endMs)
  }

  const close = async (): Promise<void> => {
    try {
      await inTime(provider.shutdown(), LAST_MS, () => new Error('late'))
    } catch {
      // A request that hangs has timers of its own, which would keep the process for as long as it may take.
      setTimeout(() => process.exit(), END_MS).unref()
    }
    counts.ended()
  }
  return { take, close }
}

/** The SDK asks for ids while a span starts: they are given with the span. */
const createGivenIds = (): IdGenerator & { next: Place } => {
  const ids = {
    next: { traceId: '', spanId: '' },
    generateTraceId: (): string => ids.next.traceId,
    generateSpanId: (): string => ids.next.spanId,
  }
  return ids
}

const toContext = (place: Place): SpanContext => ({ ...place, traceFlags: TraceFlags.SAMPLED })

const KINDS: Readonly<Record<EndedSpan['kind'], SpanKind>> = {
  internal: SpanKind.INTERNAL,
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
}

/** Whatever a text says that came from outside, it is masked like a line of the log. */
const toAttributes = ({ attributes, error }: EndedSpan, redact: Redact): Attributes =>
  Object.fromEntries(
    [...Object.entries(attributes), ['error.type', error] as const].flatMap(([name, value]) =>
      value === undefined ? [] : [[name, typeof value === 'string' ? redact(value) : value]],
    ),
  )

/** What is said of the process; what the standard's variables say goes first. */
const resourceOf = (name: string): Resource =>
  defaultResource()
    .merge(
      resourceFromAttributes({
        'service.name': `mpesa-gateway-${name}`,
        'service.namespace': 'mpesa-gateway',
        'service.instance.id': randomUUID(),
        'process.pid': process.pid,
      }),
    )
    .merge(detectResources({ detectors: [envDetector] }))

/** Gathers spans and sends them; counts those that wait, so that what does not fit is known. */
const createProcessor = (config: TracingConfig, counts: SpanCounts): SpanProcessor => {
  let waiting = 0
  const exporter = createExporter(config)
  const counted: SpanExporter = {
    export: (spans, onResult) => {
      waiting -= spans.length
      exporter.export(spans, (result) => {
        counts.sent(spans.length, result.error ?? null)
        onResult(result)
      })
    },
    shutdown: () => exporter.shutdown(),
  }
  const processor = new BatchSpanProcessor({
    exporter: counted,
    maxExportBatchSize: BATCH,
    maxQueueSize: config.maxQueue,
    scheduledDelayMillis: config.delayMs,
    exportTimeoutMillis: config.timeoutMs,
  })
  return {
    forceFlush: () => processor.forceFlush(),
    shutdown: () => processor.shutdown(),
    onStart: () => undefined,
    onEnd: (span) => {
      if (waiting >= config.maxQueue) return counts.didNotFit()
      waiting += 1
      processor.onEnd(span)
    },
  }
}

/** Headers, compression and certificates the exporter reads from the standard's variables itself. */
const createExporter = (config: TracingConfig): SpanExporter => {
  const options = {
    url: config.url,
    timeoutMillis: config.timeoutMs,
    // At the end all batches are sent at once.
    concurrencyLimit: Math.ceil(config.maxQueue / BATCH) + 1,
  }
  return config.protocol === 'http/json' ? new JsonExporter(options) : new ProtobufExporter(options)
}
