import { randomBytes } from 'node:crypto'
import type { Registry } from 'prom-client'
import type { Log } from '../log.ts'
import { createPlaces, type Place, type Places } from './places.ts'
import type { TracingConfig } from './tracing-config.ts'

/** What a span says; what is undefined is left out. No number, token, secret or URL of anybody's stands here. */
export type Attributes = Readonly<Record<string, string | number | boolean | undefined>>

/** Something that was done, and has ended. */
export type EndedSpan = {
  name: string
  kind: 'internal' | 'server' | 'client' | 'producer' | 'consumer'
  place: Place
  /** Null: it is the root of its trace. */
  parent: Place | null
  /** What else led to it, in whatever trace. */
  links?: readonly Place[]
  attributes: Attributes
  /** What kind of failure it ended with, by a word of a known few; left out: none. */
  error?: string | undefined
}

/** Records the span as begun when this was made, and as ended now; or then, by `performance.now()`. */
export type EndSpan = (span: EndedSpan, endedMs?: number) => void

/** Makes spans, of what has ended only: nothing is kept of what is under way. */
export type Spans = {
  begin(): EndSpan
  /** A place that nobody else knows: in the trace, or in one of its own. */
  newPlace(traceId?: string): Place
  /** Sends what is left, for a few seconds at most. Never rejects. */
  close(): Promise<void>
}

/** The same, and where those of payments stand. */
export type Tracing = Places & Spans

/** Takes spans, as long as they fit, and sends them. */
export type SpanSink = {
  take(span: EndedSpan, times: { startMs: number; endMs: number }): void
  close(): Promise<void>
}

/** What a process's settings say of spans. */
type Configured = {
  /** Null: no spans are made, and nothing of OpenTelemetry is loaded. */
  tracing: TracingConfig | null
  keys: { secretKey: Uint8Array }
}

export type SpanOptions = {
  /** Null: no spans are made, and nothing of OpenTelemetry is loaded. */
  config: TracingConfig | null
  /** Which process, as in the log. */
  name: string
  registry: Registry
  log: Log
  /** What only the settings know and no span may say. */
  secrets: readonly string[]
}

/** Opens what makes spans, as the settings say; undefined where they say nothing. */
export const openSpans = async (options: SpanOptions): Promise<Spans | undefined> => {
  const { config, name, registry, log, secrets } = options
  if (config === null) return undefined
  const { openSpanExport } = await import('./export-spans.ts')
  return createSpans(openSpanExport({ config, name, registry, log, secrets }))
}

/** The same where payments are dealt with. */
export const openTracing = async (
  options: Omit<SpanOptions, 'config'> & { config: Configured },
): Promise<Tracing | undefined> => {
  const { config, name, registry, log, secrets } = options
  const spans = await openSpans({ config: config.tracing, name, registry, log, secrets })
  return spans && { ...createPlaces(config.keys.secretKey), ...spans }
}

/** The traces of payments, for the log; undefined where no spans are made. */
export const traceIdsFor = ({ tracing, keys }: Configured): Places['traceIdOf'] | undefined =>
  tracing === null ? undefined : createPlaces(keys.secretKey).traceIdOf

/** The same, over any sink. */
export const createTracing = (places: Places, sink: SpanSink): Tracing => ({
  ...places,
  ...createSpans(sink),
})

const createSpans = (sink: SpanSink): Spans => ({
  begin: () => {
    // The clock of the day says when, the other one for how long: the former may be set meanwhile.
    const [startMs, begunMs] = [Date.now(), performance.now()]
    return (span, endedMs = performance.now()) =>
      sink.take(span, { startMs, endMs: startMs + endedMs - begunMs })
  },
  newPlace: (traceId = randomHex(16)) => ({ traceId, spanId: randomHex(8) }),
  close: () => sink.close(),
})

const randomHex = (bytes: number): string => randomBytes(bytes).toString('hex')
