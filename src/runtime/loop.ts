import { setTimeout as pause } from 'node:timers/promises'
import type { Log } from './log.ts'

/** A loop that runs until it is stopped. */
export type Loop = {
  /** Says that there may be work now: the present pause ends, or the next one is skipped. */
  readonly wake: () => void
  /** Ends the loop after the round under way; resolves when that has finished. */
  readonly stop: () => Promise<void>
  /** Settles when the loop ends: resolves after `stop`, rejects with what a round threw. */
  readonly ended: Promise<void>
}

/** The longest pause after a round that failed for an outage, ms. */
const MAX_OUTAGE_PAUSE_MS = 2_000

/**
 * Runs `round` again and again. A round that returns true had more to do than it took, so the next follows at once;
 * else the loop pauses for `idleMs` milliseconds, or fewer where the round returns a number, or until `wake`, and in
 * any case for `minPauseMs`: what comes meanwhile shares the next round. A round that throws what `isOutage` knows is
 * tried again after a growing pause, with one log line when the failures start and one when they end. Any other throw
 * is a defect and ends the loop: its owner ends the process, a loop never continues in a partly failed state.
 */
export const startLoop = (options: {
  name: string
  idleMs: number
  minPauseMs?: number
  round: () => Promise<boolean | number>
  isOutage: (error: unknown) => boolean
  log: Log
}): Loop => {
  const { minPauseMs = 0 } = options
  let stopping = false
  let woken = false
  let failures = 0
  let idle = new AbortController()
  const stopped = new AbortController()

  const wake = (): void => {
    // Each callback wakes its loop, and an abort makes an exception with a stack.
    if (woken) return
    woken = true
    if (failures === 0) idle.abort()
  }

  const rest = async (restMs: number): Promise<void> => {
    idle = new AbortController()
    await pause(restMs, undefined, { signal: idle.signal }).catch(() => undefined)
  }

  const runRound = async (): Promise<void> => {
    woken = false
    const more = await options.round()
    if (failures > 0) options.log.info({ event: 'loop_resumed', loop: options.name, failures })
    failures = 0
    if (more === true || stopping) return
    if (minPauseMs > 0) await pause(minPauseMs, undefined, { signal: stopped.signal }).catch(() => undefined)
    if (woken || stopping) return
    await rest(more === false ? options.idleMs : Math.min(more, options.idleMs))
  }

  const retryAfterFailure = async (error: unknown): Promise<void> => {
    if (!options.isOutage(error)) throw error
    if (failures === 0) options.log.warn({ event: 'loop_held_up', loop: options.name, err: error })
    failures += 1
    if (!stopping) await rest(Math.min(50 * 2 ** failures, MAX_OUTAGE_PAUSE_MS))
  }

  const run = async (): Promise<void> => {
    // The first round comes after `startLoop` has returned, so that a round may speak of its own loop.
    await Promise.resolve()
    while (!stopping) await runRound().catch(retryAfterFailure)
  }

  const ended = run()
  ended.catch(() => undefined)
  const stop = (): Promise<void> => {
    stopping = true
    stopped.abort()
    idle.abort()
    return ended
  }
  return { wake, stop, ended }
}
