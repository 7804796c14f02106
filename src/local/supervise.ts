import { setTimeout as pause } from 'node:timers/promises'
import { describeEnding, type GuardedProcess } from './child-process.ts'

const FIRST_PAUSE_MS = 250
const LONGEST_PAUSE_MS = 10_000

/** A process that is started again whenever it ends unasked. */
export type Supervised<Process extends GuardedProcess> = {
  /** The one that runs now, or ran last. */
  readonly current: () => Process
  readonly stop: () => Promise<void>
}

/**
 * Starts a process and keeps it running: one that ends unasked is started again, with growing pauses between attempts
 * that fail; `start` is then given the one that ended. The first start is not repeated: what it throws is thrown.
 * `onRestarted` is called after each new start.
 */
export const supervise = async <Process extends GuardedProcess>(options: {
  name: string
  start: (before?: Process) => Promise<Process>
  say: (text: string) => void
  onRestarted: () => void
}): Promise<Supervised<Process>> => {
  const { name, start, say, onRestarted } = options
  const stopping = new AbortController()
  let current = await start()

  const startAgain = async (): Promise<void> => {
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
      await pause(pauseMs, undefined, { signal: stopping.signal }).catch(() => undefined)
      if (stopping.signal.aborted) return
      try {
        current = await start(current)
        return
      } catch (error) {
        if (!stopping.signal.aborted)
          say(`${name} does not start: ${error instanceof Error ? error.message : String(error)}`)
      }
    }
  }

  const watch = async (): Promise<void> => {
    for (;;) {
      const ending = await current.ended
      if (stopping.signal.aborted) return
      say(`${name} (process ${current.pid}) ended unasked, ${describeEnding(ending)}: starting it again`)
      await startAgain()
      if (stopping.signal.aborted) return
      say(`${name} runs again (process ${current.pid})`)
      onRestarted()
    }
  }

  const watching = watch()
  const stop = async (): Promise<void> => {
    stopping.abort()
    await current.stop()
    await watching
    // It may have been starting while the one before was stopped.
    await current.stop()
  }
  return { current: () => current, stop }
}
