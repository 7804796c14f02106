import { fileURLToPath } from 'node:url'

/** `gateway …`, from the sources, as operators start it. */
export const GATEWAY_SOURCES = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))

/** `gateway …`, as tests start it: in a run of the suite a bundle of the sources, which starts in less than half of the CPU. */
export const TESTED_GATEWAY = process.env['TESTED_GATEWAY'] ?? GATEWAY_SOURCES

/** Room for what is young, which a start is full of: a process that soon ends collects hardly anything. MiB, each of two halves. */
export const NODE_FLAGS = ['--min-semi-space-size=32', '--max-semi-space-size=32']
