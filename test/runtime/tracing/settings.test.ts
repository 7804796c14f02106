import { describe, expect, it } from 'vitest'
import { readDispatchConfig } from '../../../src/runtime/dispatch-config.ts'

const read = (environment: Record<string, string>) =>
  readDispatchConfig({
    DATABASE_URL: 'postgres://127.0.0.1/none',
    SECRET_KEY: 'ab'.repeat(32),
    ...environment,
  }).tracing

const ENDPOINT = { OTEL_EXPORTER_OTLP_ENDPOINT: 'https://collector.example:4318/' }

describe('spans are sent', () => {
  it.each<[string, Record<string, string>, object]>([
    ['below the endpoint', ENDPOINT, { url: 'https://collector.example:4318/v1/traces', ratio: 1 }],
    [
      'to the whole URL for spans',
      { ...ENDPOINT, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://other.example/otlp' },
      { url: 'http://other.example/otlp' },
    ],
    [
      'to this machine where only the exporter is named',
      { OTEL_TRACES_EXPORTER: 'otlp' },
      {
        url: 'http://127.0.0.1:4318/v1/traces',
        protocol: 'http/protobuf',
        timeoutMs: 10_000,
        maxQueue: 2048,
      },
    ],
    [
      'as the protocol for spans says',
      { ...ENDPOINT, OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: 'http/json' },
      { protocol: 'http/json' },
    ],
    [
      'of a part of the traces',
      { ...ENDPOINT, OTEL_TRACES_SAMPLER: 'parentbased_traceidratio', OTEL_TRACES_SAMPLER_ARG: '0.05' },
      { ratio: 0.05 },
    ],
    ['of no trace', { ...ENDPOINT, OTEL_TRACES_SAMPLER: 'always_off' }, { ratio: 0 }],
  ])('%s', (_how, environment, expected) => {
    expect(read(environment)).toMatchObject(expected)
  })
})

it.each<[Record<string, string>, string]>([
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'collector:4318' }, 'must be a URL that starts with http:// or https://'],
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'https://me:pw@collector.example' }, 'must hold no user and password'],
  [{ OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' }, 'must be http/protobuf or http/json'],
  [{ OTEL_TRACES_EXPORTER: 'zipkin' }, 'must be otlp or none'],
  [{ OTEL_TRACES_SAMPLER: 'some' }, 'must be always_on, always_off or traceidratio'],
  [{ OTEL_TRACES_SAMPLER_ARG: '5%' }, 'must be a part from 0 to 1, like 0.05'],
  [{ OTEL_BSP_MAX_QUEUE_SIZE: '1' }, 'must be a whole number from 512 to 65536'],
  [{ OTEL_EXPORTER_OTLP_HEADERS: 'authorization' }, 'must be pairs separated by commas'],
])('%j is refused with what would be right', (environment, message) => {
  const [name = ''] = Object.keys(environment)
  expect(() => read(environment)).toThrow(`${name} ${message}`)
})

it('a refused header is not shown', () => {
  expect(() => read({ OTEL_EXPORTER_OTLP_HEADERS: 's3cret' })).toThrow(/^(?!.*s3cret)/s)
})
