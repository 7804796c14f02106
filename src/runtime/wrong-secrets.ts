import { LRUCache } from 'lru-cache'
import { networkOf } from '../../values/network-of.ts'

/** How many wrong secrets each address has shown of late. */
export type WrongSecrets = {
  /** How long the address must wait before it may show one that nobody knows yet, seconds; 0: not at all. */
  waitSeconds: (address: string) => number
  /** Counts one. Returns what takes it back, for a secret that turned out to be right. */
  count: (address: string) => () => void
}

/** The time over which they are counted, ms. */
const WINDOW_MS = 60_000

/** How many addresses are counted at once. Whoever has more than that to try from is not stopped by counting them. */
const MAX_ADDRESSES = 20_000

/**
 * Counts wrong secrets by address (`networkOf`), `perMinute` of which may be shown in a minute. `nowMs` is a monotonic time in ms.
 */
export const createWrongSecrets = (options: { perMinute: number; nowMs: () => number }): WrongSecrets => {
  const windows = new LRUCache<string, { count: number; endsMs: number }>({ max: MAX_ADDRESSES })
  const windowOf = (address: string) => {
    const window = windows.get(networkOf(address))
    return window !== undefined && window.endsMs > options.nowMs() ? window : undefined
  }
  return {
    waitSeconds: (address) => {
      const window = windowOf(address)
      if (window === undefined || window.count < options.perMinute) return 0
      return Math.max(1, Math.ceil((window.endsMs - options.nowMs()) / 1000))
    },
    count: (address) => {
      const window = windowOf(address) ?? { count: 0, endsMs: options.nowMs() + WINDOW_MS }
      window.count += 1
      windows.set(networkOf(address), window)
      return () => {
        window.count -= 1
      }
    },
  }
}
