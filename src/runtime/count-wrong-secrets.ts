import { LRUCache } from 'lru-cache'
import { networkOf } from '../values/network-of.ts'
import { asOne } from './as-one.ts'

/** How many wrong API keys and service tokens each client has shown of late, over REST, gRPC and Connect together. */
export type WrongSecrets = {
  /**
   * How long the client at `address` must wait before it may show one that nobody knows yet, seconds; 0: not at all.
   */
  waitSeconds: (address: string) => number
  /** Counts one. Returns what takes it back, for a secret that turned out to be right. */
  count: (address: string) => () => void
}

/** The time over which they are counted, ms. */
const WINDOW_MS = 60_000

/** How many clients are counted at once. Whoever has more addresses than that is not stopped by counting them. */
const MAX_CLIENTS = 20_000

/**
 * Counts wrong secrets by client (`networkOf` of its address), `perMinute` of which may be shown in a minute. `nowMs`
 * is a monotonic time in ms.
 */
export const createWrongSecrets = (options: { perMinute: number; nowMs: () => number }): WrongSecrets => {
  const counts = new LRUCache<string, { count: number }>({
    maxSize: MAX_CLIENTS,
    sizeCalculation: asOne,
    ttl: WINDOW_MS,
    ttlResolution: 0,
    perf: { now: options.nowMs },
  })
  return {
    waitSeconds: (address) => {
      const client = networkOf(address)
      const { count } = counts.get(client) ?? { count: 0 }
      return count < options.perMinute ? 0 : Math.ceil(counts.getRemainingTTL(client) / 1000)
    },
    count: (address) => {
      const client = networkOf(address)
      const window = counts.get(client) ?? { count: 0 }
      window.count += 1
      counts.set(client, window, { noUpdateTTL: true })
      return () => {
        window.count -= 1
      }
    },
  }
}
