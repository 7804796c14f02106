import type { Supervised } from './supervise.ts'
import type { Tethered } from './tether.ts'

/** How a process is started and kept running; null: it cannot be had, and that is no failure. */
export type Start<Process extends Tethered> = () => Promise<Supervised<Process> | null>

/** The processes that were started, by name. */
export type Processes = {
  /**
   * Starts several at once and resolves with those that run. They will be ended one after the other, the last named first.
   * When one fails, its error is thrown, and those that did start are ended with the rest.
   */
  readonly start: <Process extends Tethered>(
    starts: Record<string, Start<Process>>,
  ) => Promise<Map<string, Supervised<Process>>>
  /** The process ids by name, with our own as `start`. */
  readonly pids: () => Record<string, number>
}

/** Keeps the processes of one run; disposing of `stack` ends them. */
export const createProcesses = (stack: AsyncDisposableStack): Processes => {
  const running = new Map<string, Supervised<Tethered>>()

  const start: Processes['start'] = async (starts) => {
    const names = Object.keys(starts)
    const outcomes = await Promise.allSettled(Object.values(starts).map((startOne) => startOne()))
    const started = new Map(
      outcomes.flatMap((outcome, index) =>
        outcome.status === 'fulfilled' && outcome.value !== null ? [[names[index] ?? '', outcome.value]] : [],
      ),
    )
    for (const [name, one] of started) {
      running.set(name, one)
      stack.defer(one.stop)
    }
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
    return started
  }

  const pids = (): Record<string, number> => ({
    ...Object.fromEntries([...running].map(([name, one]) => [name, one.current().pid])),
    start: process.pid,
  })

  return { start, pids }
}
