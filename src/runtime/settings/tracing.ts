import { z } from 'zod'
import { flag, text, url, wholeNumber } from '../setting-parsers.ts'
import type { Setting } from './setting.ts'

const collectorUrl = url(['http:', 'https:']).refine(
  (value) => {
    const { username, password } = new URL(value)
    return username + password === ''
  },
  { error: 'must hold no user and password: send them in OTEL_EXPORTER_OTLP_HEADERS' },
)

const protocol = z.enum(
  ['http/protobuf', 'http/json'],
  'must be http/protobuf or http/json: spans are sent over HTTP only',
)

/** `name=value,other=value`, as the standard has lists in variables. */
const pairs = z
  .string()
  .regex(
    /^\s*[^\s=,;]+\s*=[^,]*(?:,\s*[^\s=,;]+\s*=[^,]*)*$/,
    'must be pairs separated by commas, like "name=value,other=value"',
  )

/** The variables that OpenTelemetry has for every program, as far as they say something here (docs/tracing.md). */
export const TRACING_SETTINGS = {
  OTEL_EXPORTER_OTLP_ENDPOINT: {
    parse: collectorUrl,
    default: null,
    help: 'a collector of OpenTelemetry, `http://127.0.0.1:4318`: spans are sent to `/v1/traces` there; none are made without',
  },
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: {
    parse: collectorUrl,
    default: null,
    help: 'the whole URL for spans instead, with its path',
  },
  OTEL_TRACES_EXPORTER: {
    parse: z.enum(['otlp', 'none'], 'must be otlp or none'),
    default: null,
    help: '`otlp` sends spans to `http://127.0.0.1:4318` where no endpoint is set; `none` makes none whatever is set',
  },
  OTEL_SDK_DISABLED: { parse: flag, default: 'off', help: '`true` makes no spans whatever is set' },
  OTEL_EXPORTER_OTLP_PROTOCOL: {
    parse: protocol,
    default: 'http/protobuf',
    help: 'how spans are written: `http/protobuf` or `http/json`',
  },
  OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: { parse: protocol, default: null, help: 'the same, and goes first' },
  OTEL_EXPORTER_OTLP_HEADERS: {
    parse: pairs,
    default: null,
    help: 'headers that the collector wants, `name=value` separated by commas',
    secret: true,
  },
  OTEL_EXPORTER_OTLP_TIMEOUT: {
    parse: wholeNumber(1, 600_000),
    default: '10000',
    help: 'how long the collector may take for one request, repetitions included, ms',
  },
  OTEL_TRACES_SAMPLER: {
    parse: z.enum(
      [
        'always_on',
        'always_off',
        'traceidratio',
        'parentbased_always_on',
        'parentbased_always_off',
        'parentbased_traceidratio',
      ],
      'must be always_on, always_off or traceidratio, or one of them after parentbased_',
    ),
    default: 'parentbased_always_on',
    help: 'which traces are kept: all, none, or a part of them; the trace’s id alone decides, so all processes agree',
  },
  OTEL_TRACES_SAMPLER_ARG: {
    parse: z
      .string()
      .regex(/^(?:0|1|0?\.\d{1,9}|1\.0|0\.0)$/, 'must be a part from 0 to 1, like 0.05')
      .transform(Number),
    default: '1',
    help: 'the part of the traces that `traceidratio` keeps, 0 to 1',
  },
  OTEL_BSP_MAX_QUEUE_SIZE: {
    parse: wholeNumber(512, 65_536),
    default: '2048',
    help: 'spans that wait for the collector at most, in each process; further ones are dropped and counted',
  },
  OTEL_BSP_SCHEDULE_DELAY: {
    parse: wholeNumber(1, 60_000),
    default: '5000',
    help: 'how long spans gather before they are sent, ms; 512 are sent at once',
  },
  OTEL_SERVICE_NAME: {
    parse: text,
    default: null,
    help: 'the name of the process in traces; `mpesa-gateway-` and `serve`, `facade` or `dispatch` when not set',
  },
  OTEL_RESOURCE_ATTRIBUTES: {
    parse: pairs,
    default: null,
    help: 'what every span says of its process besides, `deployment.environment.name=production,…`',
  },
} as const satisfies Record<string, Setting<unknown>>
