import { setTimeout as pause } from 'node:timers/promises'

/** A loop that runs until it is stopped. */
export type Loop = {
  /** Says that there may be work now: the present pause ends, or the next one is skipped. */
  wake(): void
  /** Ends the loop after the round under way; resolves when that has finished. */
  stop(): Promise<void>
  /** Settles when the loop ends: resolves after `stop`, rejects with what a round threw. */
  readonly ended: Promise<void>
}

/**
 * Runs `round` again and again. A round that returns true had more to do than it took, so the next follows at once; else
 * the loop pauses for `idleMs` milliseconds or until `wake`. A round that throws ends the loop: its owner ends the process,
 * a loop never lives on half dead.
 */
export const startLoop = (options: { idleMs: number; round: () => Promise<boolean> }): Loop => {
  let stopping = false
  let woken = false
  let idle = new AbortController()

  const wake = (): void => {
    woken = true
    idle.abort()
  }

  const rest = async (): Promise<void> => {
    if (!woken && !stopping) {
      idle = new AbortController()
      await pause(options.idleMs, undefined, { signal: idle.signal }).catch(() => undefined)
    }
    woken = false
  }

  const run = async (): Promise<void> => {
    while (!stopping) {
      if (!(await options.round())) await rest()
    }
  }

  const ended = run()
  ended.catch(() => undefined)
  const stop = (): Promise<void> => {
    stopping = true
    idle.abort()
    return ended
  }
  return { wake, stop, ended }
}
