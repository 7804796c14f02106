import { signalSecrets, signalUrl } from '../setting-parsers.ts'
import type { Setting } from './setting.ts'

/** Where operators are told of trouble. */
export const SIGNAL_SETTINGS = {
  SIGNAL_URL: {
    parse: signalUrl,
    default: null,
    help: 'where signals to operators are POSTed, private addresses too; nothing is signalled when not set; the same for `serve` and `dispatch`',
    secret: true,
  },
  SIGNAL_SECRET: {
    parse: signalSecrets,
    default: null,
    help: 'what signals are signed with (Standard Webhooks), `whsec_…`; two separated by a comma while the receiver changes over',
    secret: true,
  },
} as const satisfies Record<string, Setting<unknown>>
