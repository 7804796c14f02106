import { secretKey, wholeNumber } from '../setting-parsers.ts'
import type { Setting } from './setting.ts'

/** Secrets, and limits of what partners, payers and unknown callers may do. */
export const CALLER_SETTINGS = {
  SECRET_KEY: {
    parse: secretKey,
    help: '32 bytes in hexadecimal, the same for all processes; the keys of callback tokens and of secrets at rest are derived from it',
    secret: true,
  },
  SECRET_KEY_PREVIOUS: {
    parse: secretKey,
    default: null,
    help: 'another key that still counts, while it is being replaced: see docs/operations.md',
    secret: true,
  },
  WRONG_KEYS_PER_MINUTE: {
    parse: wholeNumber(1, 1_000_000),
    default: '60',
    help: 'wrong API keys and service tokens that one address may show in a minute, per process, before it is answered 429',
  },
  PARTNER_REQUESTS_PER_SECOND: {
    parse: wholeNumber(1, 100_000),
    default: null,
    help: 'requests a second of one partner, to all replicas together, unless `partners set --rate` says otherwise; no limit when not set',
  },
  WATCHERS_MAX: {
    parse: wholeNumber(1, 100_000),
    default: '2000',
    help: 'streams of payment events (`WatchPayments`) that may be open at once, per process, before a call is RESOURCE_EXHAUSTED',
  },
  WATCHERS_PER_PARTNER: {
    parse: wholeNumber(1, 100_000),
    default: '20',
    help: 'the same for one partner, per process',
  },
  TEST_REQUESTS_PER_SECOND: {
    parse: wholeNumber(1, 1_000),
    default: '10',
    help: 'requests a second with the test keys of one partner, to all replicas together',
  },
  PAYER_OPEN_PROMPTS: {
    parse: wholeNumber(0, 100),
    default: null,
    help: 'payments of one partner that may be open for one phone, else 429; 0: any number. When not set: 1 where `DARAJA_BASE_URL` is Safaricom’s, any number where no phone rings',
  },
  PAYER_PROMPTS_PER_HOUR: {
    parse: wholeNumber(0, 200),
    default: null,
    help: 'payments of one partner for one phone in an hour, else 429; 0: any number. When not set: 10 where `DARAJA_BASE_URL` is Safaricom’s, any number where no phone rings',
  },
} as const satisfies Record<string, Setting<unknown>>
