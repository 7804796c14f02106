/** Callbacks that may be on their way at once; those of further ones are left to whoever finds them lacking. */
const MAX_WAITING = 10_000

/** Waits that can all be ended. */
export type Waits = {
  /**
   * Resolves with true after so long, and with false when all are ended, or, where it may be dropped, too many wait.
   */
  untilAfter(ms: number, how?: { isDropped: boolean }): Promise<boolean>
  end(): void
}

export const createWaits = (): Waits => {
  const waiting = new Map<NodeJS.Timeout, (isOver: boolean) => void>()
  let isEnded = false
  return {
    untilAfter: (ms, { isDropped } = { isDropped: false }) => {
      if (isEnded || (isDropped && waiting.size >= MAX_WAITING)) return Promise.resolve(false)
      return new Promise((resolve) => {
        const timer = setTimeout(() => {
          waiting.delete(timer)
          resolve(true)
        }, ms)
        waiting.set(timer, resolve)
      })
    },
    end: () => {
      isEnded = true
      for (const [timer, resolve] of waiting) {
        clearTimeout(timer)
        resolve(false)
      }
      waiting.clear()
    },
  }
}
