import type { ServerResponse } from 'node:http'
import { answerWith, startReceiver } from './receiver.ts'
import type { Settings } from './settings.ts'

/** A span as it came over OTLP, its attributes by name. */
export type ReceivedSpan = {
  traceId: string
  spanId: string
  parentSpanId: string | undefined
  name: string
  kind: number
  attributes: Record<string, unknown>
  links: { traceId: string; spanId: string }[]
  isError: boolean
  /** `service.name` and `process.pid` of who sent it. */
  service: string
  pid: number
  startNs: bigint
  endNs: bigint
}

/** A collector of OpenTelemetry of a test's own, which keeps what it is sent. */
export type OtlpReceiver = {
  url: string
  /** What processes send their spans here by, without waiting for more. */
  settings: Settings
  /** Everything that was sent as JSON and taken, in its order. */
  spans(): ReceivedSpan[]
  /** Every request as it came: headers and body. */
  requests: { path: string; headers: Record<string, string>; body: string }[]
  /** From now on takes everything, or nothing: refuses it, or does not answer. */
  behave(as: 'well' | 'refusing' | 'hanging'): void
  close(): Promise<void>
}

export const startOtlpReceiver = async (): Promise<OtlpReceiver> => {
  const receiver = await startReceiver()
  const taken: string[] = []
  const unanswered: ServerResponse[] = []
  const behave: OtlpReceiver['behave'] = (as) =>
    receiver.behave((received, response) => {
      if (as === 'hanging') {
        unanswered.push(response)
        return
      }
      if (as === 'refusing') return answerWith(400, '{}')(received, response)
      taken.push(received.body)
      answerWith(200, '{}', { 'content-type': 'application/json' })(received, response)
    })
  behave('well')
  return {
    url: receiver.url,
    settings: {
      OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
      OTEL_BSP_SCHEDULE_DELAY: '20',
    },
    spans: () => taken.flatMap(readSpans),
    requests: receiver.received,
    behave,
    close: async () => {
      for (const response of unanswered) response.destroy()
      await receiver.close()
    },
  }
}

type Pairs = { key: string; value: Record<string, unknown> }[]

type Sent = {
  resourceSpans: {
    resource: { attributes: Pairs }
    scopeSpans: { spans: SentSpan[] }[]
  }[]
}

type SentSpan = {
  traceId: string
  spanId: string
  parentSpanId?: string
  name: string
  kind: number
  startTimeUnixNano: string
  endTimeUnixNano: string
  attributes: Pairs
  links?: { traceId: string; spanId: string }[]
  status?: { code?: number }
}

const IS_ERROR = 2

const readSpans = (body: string): ReceivedSpan[] =>
  (JSON.parse(body) as Sent).resourceSpans.flatMap(({ resource, scopeSpans }) => {
    const process = toRecord(resource.attributes)
    return scopeSpans
      .flatMap(({ spans }) => spans)
      .map((span) => ({
        traceId: span.traceId,
        spanId: span.spanId,
        parentSpanId: span.parentSpanId,
        name: span.name,
        kind: span.kind,
        attributes: toRecord(span.attributes),
        links: (span.links ?? []).map(({ traceId, spanId }) => ({ traceId, spanId })),
        isError: span.status?.code === IS_ERROR,
        service: String(process['service.name']),
        pid: Number(process['process.pid']),
        startNs: BigInt(span.startTimeUnixNano),
        endNs: BigInt(span.endTimeUnixNano),
      }))
  })

const toRecord = (pairs: Pairs): Record<string, unknown> =>
  Object.fromEntries(pairs.map(({ key, value }) => [key, Object.values(value)[0]]))
