/** Wakes one who waits: for news, for a time, or for the end. */
export type Bell = {
  /** Ends the present wait, or the next one at once. */
  readonly ring: () => void
  /** Waits until it rings, at most so many ms. One waits at a time. */
  readonly wait: (atMostMs: number) => Promise<void>
}

export const createBell = (): Bell => {
  let isRung = false
  let wake: (() => void) | null = null
  return {
    ring: () => {
      isRung = true
      wake?.()
    },
    wait: async (atMostMs) => {
      if (!isRung) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, Math.max(0, atMostMs))
          wake = () => {
            clearTimeout(timer)
            resolve()
          }
        })
      }
      wake = null
      isRung = false
    },
  }
}
