import { fileURLToPath } from 'node:url'

const PRELOADED = fileURLToPath(new URL('wrong-clock.ts', import.meta.url))

/** The environment of a process whose clock is off by each `errorMs` from `afterMs` after its start on. */
export const wrongClock = (...errors: [afterMs: number, errorMs: number][]): Record<string, string> => ({
  NODE_OPTIONS: `--import=${PRELOADED}`,
  CLOCK_ERRORS: JSON.stringify(errors),
})
