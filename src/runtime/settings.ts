import { z } from 'zod'
import { databaseUrl, natsUrl, text, wholeNumber } from './setting-parsers.ts'
import { CALLBACK_SETTINGS } from './settings/callbacks.ts'
import { CALLER_SETTINGS } from './settings/callers.ts'
import { CORE_SETTINGS } from './settings/core.ts'
import { DELIVERY_SETTINGS } from './settings/deliveries.ts'
import { LISTENER_SETTINGS } from './settings/listeners.ts'
import { PAYMENT_SETTINGS } from './settings/payments.ts'
import type { Setting } from './settings/setting.ts'
import { SIGNAL_SETTINGS } from './settings/signals.ts'
import { SIMULATOR_SETTINGS } from './settings/simulator.ts'
import { TRACING_SETTINGS } from './settings/tracing.ts'

/** Every setting, in the order of the table in docs/settings.md. */
export const SETTINGS = {
  DATABASE_URL: {
    parse: databaseUrl,
    help: 'Postgres, `postgres://user:password@host/name`',
    secret: true,
  },
  DATABASE_POOL_SIZE: {
    parse: wholeNumber(2, 200),
    default: '10',
    help: 'connections a process opens at most',
  },
  NATS_URL: {
    parse: natsUrl,
    default: null,
    help: 'NATS with JetStream, `nats://host:4222`; the servers of a cluster separated by commas; without it the dispatcher works from Postgres alone',
    secret: true,
  },
  NATS_STREAM: {
    parse: z
      .string()
      .regex(/^[A-Za-z0-9_-]{1,64}$/, 'must be 1 to 64 letters, digits, dashes or underscores'),
    default: 'deliveries',
    help: 'the name of the stream (and of its subject) on which due deliveries are published to the dispatchers',
  },
  NATS_STREAM_REPLICAS: {
    parse: z.enum(['1', '3', '5'], 'must be 1, 3 or 5').transform(Number),
    default: '1',
    help: 'how many servers of a NATS cluster keep the stream; 3 in production, so that one may fail; a stream that has fewer is changed',
  },
  ...LISTENER_SETTINGS,
  ...CORE_SETTINGS,
  ...CALLBACK_SETTINGS,
  ...CALLER_SETTINGS,
  ...PAYMENT_SETTINGS,
  ...DELIVERY_SETTINGS,
  ...SIGNAL_SETTINGS,
  ...SIMULATOR_SETTINGS,
  LOG_LEVEL: {
    parse: z.enum(
      ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'],
      'must be trace, debug, info, warn, error, fatal or silent',
    ),
    default: 'info',
    help: 'the least important log line that is written',
  },
  ...TRACING_SETTINGS,
  DATA_DIR: {
    parse: text,
    default: '.data',
    help: 'where `npm start` keeps its database and finds itself again',
  },
} as const satisfies Record<string, Setting<unknown>>

export type SettingName = keyof typeof SETTINGS
