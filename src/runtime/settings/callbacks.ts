import { z } from 'zod'
import { addressList, text, wholeNumber } from '../setting-parsers.ts'
import type { Setting } from './setting.ts'

/** From where callbacks of Daraja are taken, where they are kept, and for how long. */
export const CALLBACK_SETTINGS = {
  SPOOL_DIR: {
    parse: text,
    default: './spool',
    help: 'a folder on a local disk that survives the process: where callbacks are durable while Postgres is away',
  },
  CALLBACK_SOURCES_MODE: {
    parse: z.enum(['off', 'log', 'enforce'], 'must be off, log or enforce'),
    default: 'off',
    help: 'callbacks from other addresses than `CALLBACK_SOURCES` are taken (`off`), taken and logged (`log`) or refused (`enforce`)',
  },
  CALLBACK_SOURCES: {
    parse: addressList,
    default:
      '196.201.214.200,196.201.214.206,196.201.214.207,196.201.214.208,196.201.213.114,196.201.213.44,' +
      '196.201.212.127,196.201.212.138,196.201.212.129,196.201.212.136,196.201.212.74,196.201.212.69',
    help: 'the addresses that Daraja calls back from, also as CIDR ranges',
  },
  CALLBACK_STRANGERS_PER_MINUTE: {
    parse: wholeNumber(0, 1_000_000),
    default: '10000',
    help: 'callbacks without a token of ours, from other addresses than `CALLBACK_SOURCES`, that a process keeps in a minute; further ones are turned away',
  },
  CALLBACK_STRANGER_BYTES_PER_MINUTE: {
    parse: wholeNumber(0, 1_000_000_000),
    default: '524288',
    help: 'and how many bytes it keeps of them in a minute, headers and what a row costs counted',
  },
  CALLBACK_STRANGER_MAX_BYTES: {
    parse: wholeNumber(0, 65_536),
    default: '4096',
    help: 'how many bytes are kept of the body of each of them, and as many of its headers; the rest is cut off',
  },
  CALLBACK_STRANGER_RETENTION_DAYS: {
    parse: wholeNumber(1, 400),
    default: '7',
    help: 'for how many days they are kept',
  },
  CALLBACK_RETENTION_DAYS: {
    parse: wholeNumber(31, 36_500),
    default: '400',
    help: 'the same for callbacks as Daraja sent them; payments are kept',
  },
} as const satisfies Record<string, Setting<unknown>>
