import type { Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { LRUCache } from 'lru-cache'
import { asOne } from '../runtime/as-one.ts'
import type { WrongSecrets } from '../runtime/count-wrong-secrets.ts'
import type { NoteRefused } from '../runtime/refused-callers.ts'
import { networkOf } from '../values/network-of.ts'
import { refusedCaller } from './authenticate.ts'
import { Refusal, tooManyWrongKeys } from './errors.ts'

/** Which connections' addresses have shown so many wrong keys that they are made to wait. */
export type BlockedAddresses = {
  /** For how long the address is blocked, seconds; 0: it is not. */
  waitSeconds: (address: string) => number
  /** A partner came from there with a key of its own: it is not blocked for whatever its neighbours do. */
  trust: (address: string) => void
}

/** For how long a partner's valid key exempts its address, ms: longer than a night without requests. */
const TRUSTED_MS = 86_400_000

/** How many addresses are trusted at once. */
const MAX_TRUSTED = 20_000

/**
 * Blocks an address that `wrongSecrets` makes wait, unless a partner's own key came from there. Load balancers are
 * never blocked, for they speak for many: wrong keys count for the clients behind them. `nowMs` is a monotonic time in
 * ms.
 */
export const createBlockedAddresses = (options: {
  wrongSecrets: Pick<WrongSecrets, 'waitSeconds'>
  isProxy: (address: string) => boolean
  nowMs: () => number
}): BlockedAddresses => {
  const trusted = new LRUCache<string, true>({
    maxSize: MAX_TRUSTED,
    sizeCalculation: asOne,
    ttl: TRUSTED_MS,
    ttlResolution: 0,
    perf: { now: options.nowMs },
  })
  return {
    waitSeconds: (address) => {
      const waitSeconds = options.wrongSecrets.waitSeconds(address)
      return waitSeconds > 0 && (trusted.has(networkOf(address)) || options.isProxy(address))
        ? 0
        : waitSeconds
    },
    trust: (address) => void trusted.set(networkOf(address), true),
  }
}

/**
 * Refuses the first request of a blocked address and ends its connection; what was sent behind it is thrown away with
 * it. New connections of such an address are refused unread (`guardConnections`), so that a flood costs its sender
 * connections, and us nearly nothing. For the partners' routes, whose answers reveal whether a key is valid.
 */
export const refuseBlocked = (
  server: FastifyInstance,
  options: { blockedAddresses: BlockedAddresses; noteRefused: NoteRefused | undefined },
): void => {
  const { blockedAddresses, noteRefused } = options
  const ending = new WeakSet<Socket>()
  const trusted = new WeakSet<Socket>()

  server.addHook('onRequest', (request, _reply, done) => {
    const { socket } = request.raw
    // Sent behind a request that ended the connection: it is never answered.
    if (ending.has(socket)) return
    const waitSeconds = trusted.has(socket) ? 0 : blockedAddresses.waitSeconds(socket.remoteAddress ?? '')
    if (waitSeconds === 0) {
      done()
      return
    }
    ending.add(socket)
    noteRefused?.(refusedCaller(request, 'TOO_MANY_WRONG_CREDENTIALS'))
    const headers = { 'retry-after': String(waitSeconds), connection: 'close' }
    done(new Refusal(429, tooManyWrongKeys(waitSeconds), headers))
  })

  server.addHook('onSend', (request, reply, payload, done) => {
    const { socket } = request.raw
    if (reply.statusCode < 300 && !trusted.has(socket)) {
      trusted.add(socket)
      blockedAddresses.trust(socket.remoteAddress ?? '')
    }
    done(null, payload)
  })
}
