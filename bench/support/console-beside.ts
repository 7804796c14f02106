import { setTimeout as pause } from 'node:timers/promises'
import type { BenchConsole } from './console-process.ts'
import type { BenchServer } from './server-process.ts'

/** Operators who have a page open, and how often it refreshes itself, ms, as the pages of lists do. */
const OPERATORS = 10
const REFRESH_MS = 10_000

/** What happens beside the payments in a window. */
export const NOBODY = 'nobody looks'
export const OPERATORS_LOOK = `${OPERATORS} operators look` as const
export const PROGRAM = 'another program works'
export const KINDS = [NOBODY, OPERATORS_LOOK, PROGRAM] as const
export type Kind = (typeof KINDS)[number]

/** Between one operator's page and the next one's. */
const PAGE_EVERY_MS = REFRESH_MS / OPERATORS

/** The pages that they have open. */
const OPEN_PAGES = ['/', '/payments', '/deliveries', '/deliveries/endpoints', '/traffic?last=day'] as const

/**
 * What another program uses for each ms of the console's own CPU: Postgres works for the console too, and how much is not
 * known.
 */
const PROGRAM_SHARE = 2

/** Work that comes again and again: first after so many ms, then every so many; what lasts longer delays the next. */
type Repeated = { firstMs: number; everyMs: number; work: () => Promise<unknown> }

/**
 * What works beside the payments in a window of a kind. `consoleMs` is the console's own CPU while operators look, ms a
 * second. Nothing falls on a border at a whole second: in a counted part as long as a refresh each operator's page is
 * asked for once. `program` is `bursts` of bench/servers.
 */
export const besideOf = (
  kind: Kind,
  { console, program, consoleMs }: { console: BenchConsole; program: BenchServer; consoleMs: number },
): Repeated[] => {
  if (kind === NOBODY) return []
  if (kind === OPERATORS_LOOK) {
    return Array.from({ length: OPERATORS }, (_one, operator) => ({
      firstMs: (operator + 0.5) * PAGE_EVERY_MS,
      everyMs: REFRESH_MS,
      work: () => console.read(OPEN_PAGES[operator % OPEN_PAGES.length] ?? '/'),
    }))
  }
  const burstMs = (PROGRAM_SHARE * consoleMs * PAGE_EVERY_MS) / 1000
  const work = () => program.ask(burstMs.toFixed(1))
  return [{ firstMs: PAGE_EVERY_MS / 2, everyMs: PAGE_EVERY_MS, work }]
}

/** Does `work` once while the others repeat; resolves when those have ended too. */
export const whileBeside = async <Result>(
  beside: readonly Repeated[],
  work: () => Promise<Result>,
): Promise<Result> => {
  const ended = new AbortController()
  const repeated = beside.map((one) => repeat(one, ended.signal))
  const [result] = await Promise.all([work().finally(() => ended.abort()), ...repeated])
  return result
}

const repeat = async ({ firstMs, everyMs, work }: Repeated, signal: AbortSignal): Promise<void> => {
  for (let dueMs = performance.now() + firstMs; ; dueMs += everyMs) {
    await pause(Math.max(0, dueMs - performance.now()), undefined, { signal }).catch(() => undefined)
    if (signal.aborted) return
    await work()
  }
}
