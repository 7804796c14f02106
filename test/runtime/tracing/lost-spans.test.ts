import { Registry } from 'prom-client'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { createLog } from '../../../src/runtime/log.ts'
import { openSpanExport } from '../../../src/runtime/tracing/export-spans.ts'
import { createPlaces } from '../../../src/runtime/tracing/places.ts'
import { createTracing, type Tracing } from '../../../src/runtime/tracing/tracing.ts'
import { eventually } from '../../support/eventually.ts'
import { type OtlpReceiver, startOtlpReceiver } from '../../support/otlp-receiver.ts'

const MAX_QUEUE = 600
const BATCH = 512

let collector: OtlpReceiver
let registry: Registry
let lines: Record<string, unknown>[]
let tracing: Tracing
beforeEach(async () => {
  collector = await startOtlpReceiver()
  registry = new Registry()
  lines = []
  const sink = openSpanExport({
    config: {
      url: `${collector.url}/v1/traces`,
      protocol: 'http/json',
      timeoutMs: 20_000,
      ratio: 1,
      maxQueue: MAX_QUEUE,
      delayMs: 10,
    },
    name: 'test',
    registry,
    log: createLog({ name: 'test', level: 'info', to: { write: (line) => lines.push(JSON.parse(line)) } }),
    secrets: ['a-secret-of-the-settings'],
  })
  tracing = createTracing(createPlaces(Buffer.alloc(32)), sink)
})
afterEach(async () => {
  collector.behave('well')
  await collector.close()
})

const makeSpans = (count: number, attributes: Record<string, string> = {}): void => {
  const end = tracing.begin()
  for (let made = 0; made < count; made += 1)
    end({ name: 'work', kind: 'internal', place: tracing.newPlace(), parent: null, attributes })
}

const samples = async (): Promise<Record<string, number>> =>
  Object.fromEntries(
    (await registry.metrics())
      .split('\n')
      .filter((line) => line.startsWith('gateway_spans'))
      .map((line) => line.split(/ (?=[^ ]*$)/))
      .map(([name = '', value]) => [name, Number(value)]),
  )

it('while the collector hangs as many wait as may, the others are dropped and counted, and the log says it once', async () => {
  collector.behave('hanging')
  makeSpans(BATCH)
  await eventually(() => expect(collector.requests).toHaveLength(1))
  makeSpans(2 * MAX_QUEUE)
  expect(await samples()).toMatchObject({
    'gateway_spans_dropped_total{reason="queue_full"}': MAX_QUEUE,
    gateway_spans_exported_total: 0,
  })
  expect(lines).toMatchObject([{ event: 'spans_lost', reason: 'queue_full' }])
})

it('what the collector refuses is counted, and once it takes spans again the log says how many were lost', async () => {
  collector.behave('refusing')
  for (const requests of [1, 2]) {
    makeSpans(3)
    await eventually(() => expect(collector.requests).toHaveLength(requests))
    await eventually(async () =>
      expect(await samples()).toMatchObject({
        'gateway_spans_dropped_total{reason="not_exported"}': 3 * requests,
      }),
    )
  }
  collector.behave('well')
  makeSpans(1)
  await eventually(async () => expect(await samples()).toMatchObject({ gateway_spans_exported_total: 1 }))
  expect(lines).toMatchObject([{ event: 'spans_lost' }, { event: 'spans_exported_again', lost: 6 }])
  await tracing.close()
})

it('what came from outside is masked', async () => {
  makeSpans(1, {
    said: '254712345678 ws_CO_0101202612345 a-secret-of-the-settings https://shop.example/t0ken?x=1',
  })
  await tracing.close()
  const [span] = collector.spans()
  expect(span?.attributes['said']).toBe('2547*****678 ws_CO_***345 *** https://shop.example/***')
})
