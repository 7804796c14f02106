/** Timers that can all be ended at once. */
export type Timers = {
  /** Runs `act` once after `delayMs`, unless `close` comes first. */
  after(delayMs: number, act: () => void): void
  /** Ends every timer that has not run. */
  close(): void
}

/** Resolves after so many callback delays; never when the simulator closes before. */
export type Wait = (delays: number) => Promise<void>

export const createTimers = (): Timers => {
  const pending = new Set<NodeJS.Timeout>()

  const after = (delayMs: number, act: () => void): void => {
    const timer = setTimeout(() => {
      pending.delete(timer)
      act()
    }, delayMs)
    pending.add(timer)
  }

  const close = (): void => {
    for (const timer of pending) clearTimeout(timer)
    pending.clear()
  }

  return { after, close }
}
