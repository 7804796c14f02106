/** A fixed number of places for attempts under way: how much this process does at once, whoever finds the work. */
export type Slots = {
  /** Takes a place, waiting for one if need be; false when there will be none any more. */
  take(): Promise<boolean>
  /** Takes at most `count` places at once, without waiting; returns how many. */
  takeUpTo(count: number): number
  /** Gives places back. */
  give(count: number): void
  /** Hands out no place any more, also to those who wait. */
  close(): void
  /** Resolves when no place is taken. */
  allFree(): Promise<void>
}

export const createSlots = (count: number): Slots => {
  let free = count
  let isClosed = false
  let waiting: ((got: boolean) => void)[] = []
  let whenAllFree: (() => void)[] = []

  const take = (): Promise<boolean> => {
    if (isClosed) return Promise.resolve(false)
    return takeUpTo(1) === 1 ? Promise.resolve(true) : new Promise((resolve) => waiting.push(resolve))
  }

  const takeUpTo = (wanted: number): number => {
    if (isClosed || waiting.length > 0) return 0
    const taken = Math.min(wanted, free)
    free -= taken
    return taken
  }

  const give = (given: number): void => {
    free += given
    const next = waiting.splice(0, free)
    free -= next.length
    for (const resolve of next) resolve(true)
    if (free < count) return
    for (const resolve of whenAllFree) resolve()
    whenAllFree = []
  }

  const close = (): void => {
    isClosed = true
    for (const resolve of waiting) resolve(false)
    waiting = []
  }

  const allFree = (): Promise<void> =>
    free === count ? Promise.resolve() : new Promise((resolve) => whenAllFree.push(resolve))

  return { take, takeUpTo, give, close, allFree }
}
