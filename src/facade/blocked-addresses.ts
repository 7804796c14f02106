import { LRUCache } from 'lru-cache'
import { networkOf } from '../values/network-of.ts'

/** Which addresses have shown so many wrong keys that they are made to wait. */
export type BlockedAddresses = {
  /** For how long the address is blocked, seconds; 0: it is not. */
  waitSeconds(address: string): number
  /** Counts a key that nobody has. */
  countWrong(address: string): void
  /** A partner came from there with a key of its own: it is not blocked for whatever its neighbours do. */
  trust(address: string): void
}

const WINDOW_MS = 60_000

/** For how long a partner's key speaks for its address, ms: longer than a quiet night. */
const TRUSTED_MS = 86_400_000

/** How many addresses are remembered at once. */
const MAX_ADDRESSES = 20_000

/** BlockedAddresses an address (`networkOf`) after `perMinute` wrong keys, until their minute is over. `nowMs` is a monotonic time in ms. */
export const createBlockedAddresses = (options: {
  perMinute: number
  nowMs: () => number
}): BlockedAddresses => {
  const { perMinute, nowMs } = options
  const windows = new LRUCache<string, { count: number; endsMs: number }>({ max: MAX_ADDRESSES })
  const trusted = new LRUCache<string, number>({ max: MAX_ADDRESSES })
  return {
    waitSeconds: (address) => {
      const window = windows.get(networkOf(address))
      if (window === undefined || window.count < perMinute || window.endsMs <= nowMs()) return 0
      return (trusted.get(networkOf(address)) ?? 0) > nowMs()
        ? 0
        : Math.ceil((window.endsMs - nowMs()) / 1000)
    },
    countWrong: (address) => {
      const window = windows.get(networkOf(address))
      if (window !== undefined && window.endsMs > nowMs()) window.count += 1
      else windows.set(networkOf(address), { count: 1, endsMs: nowMs() + WINDOW_MS })
    },
    trust: (address) => {
      trusted.set(networkOf(address), nowMs() + TRUSTED_MS)
    },
  }
}
