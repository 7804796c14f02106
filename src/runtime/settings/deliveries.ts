import { flag, nameServers, schedule, wholeNumber } from '../setting-parsers.ts'
import type { Setting } from './setting.ts'

/** How outcomes are delivered, and how long the attempts are kept. */
export const DELIVERY_SETTINGS = {
  CALLBACK_ALLOW_HTTP: {
    parse: flag,
    default: 'off',
    help: 'takes http `callback_url`s; for one machine only',
  },
  CALLBACK_ALLOW_PRIVATE_NETWORKS: {
    parse: flag,
    default: 'off',
    help: 'takes `callback_url`s that lead to private addresses; for one machine only',
  },
  DELIVERY_SCHEDULE: {
    parse: schedule,
    default: '0s,2s,5s,15s,45s,2m,5m,15m,1h,3h,6h,12h,24h,24h',
    help: 'the pause before each attempt to deliver, from the outcome or the attempt before',
  },
  DELIVERY_CONCURRENCY: {
    parse: wholeNumber(1, 5000),
    default: '256',
    help: 'POSTs to partners at once, per process; one partner has at most a quarter of them',
  },
  DELIVERY_ENDPOINT_CONCURRENCY: {
    parse: wholeNumber(1, 5000),
    default: '32',
    help: 'and to one endpoint, a partner and a callback host, at most',
  },
  DELIVERY_NAME_SERVERS: {
    parse: nameServers,
    default: null,
    help: 'the name servers that are asked for partners’ addresses, like `10.0.0.2,10.0.0.3:5353`; the machine’s own when not set',
  },
  ATTEMPT_RETENTION_DAYS: {
    parse: wholeNumber(1, 36_500),
    default: '90',
    help: 'how many days attempts to deliver are kept at least; whole months are forgotten at once',
  },
} as const satisfies Record<string, Setting<unknown>>
