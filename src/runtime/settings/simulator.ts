import { host, port, probabilities, wholeNumber } from '../setting-parsers.ts'
import type { Setting } from './setting.ts'

/** Daraja’s stand-in. */
export const SIMULATOR_SETTINGS = {
  SIMULATOR_HOST: { parse: host, default: '127.0.0.1', help: 'where the Daraja simulator listens' },
  SIMULATOR_PORT: { parse: port, default: '8090', help: 'its port' },
  SIMULATOR_CALLBACK_DELAY_MS: {
    parse: wholeNumber(0, 3_600_000),
    default: '1000',
    help: 'how long a simulated payer thinks, ms; that of a test payment too',
  },
  SIMULATOR_SEED: {
    parse: wholeNumber(0, 4_294_967_295),
    default: null,
    help: 'the number that decides when what `SIMULATOR_MISBEHAVIOURS` names happens; drawn and printed when not set',
  },
  SIMULATOR_MISBEHAVIOURS: {
    parse: probabilities,
    default: null,
    help: 'what the simulator gets wrong beside what phone and amount choose, and how probably: `calls-back-twice=0.1,token-html-503=0.05`; the names are in docs/simulator.md',
  },
} as const satisfies Record<string, Setting<unknown>>
