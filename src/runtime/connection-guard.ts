import type { Server, Socket } from 'node:net'
import { networkOf } from '../values/network-of.ts'

/** How much of a server one client, and all of them, may hold; times in ms. */
export type ConnectionLimits = {
  /** Connections open at once. */
  maxConnections: number
  /** Of them, from one address, as `networkOf` counts it; load balancers are exempt. */
  maxPerAddress: number
  /** How long all headers of a request may take to arrive, from their first byte or from the connection's beginning. */
  headersTimeoutMs: number
  /** How long a whole request may take to arrive, and what was written of an answer may wait for its reader. */
  requestTimeoutMs: number
  /** How long a connection stays open without a request after the first: longer than a load balancer keeps it. */
  keepAliveMs: number
  /** How often late ones are looked for. */
  checkEveryMs: number
}

/** What holds where no setting says otherwise. */
export const CONNECTION_LIMITS: ConnectionLimits = {
  maxConnections: 5_000,
  maxPerAddress: 256,
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
  keepAliveMs: 72_000,
  checkEveryMs: 1_000,
}

/** Why a connection was cut: too many in all, too many from its address, too slow a sender, too slow a reader. */
export type CutReason = 'total' | 'address' | 'sender' | 'reader'

/** How many connections an address may have that is blocked, and how long each waits for its refusal, ms. */
const LEFT_WHEN_BLOCKED = 8
const HOLD_MS = 1_000

/**
 * What waits for its reader: since when, and where it ends in all that was written. A long answer may be read slowly, for
 * as long as what waited is taken in time.
 */
type Waiting = { sinceMs: number; untilBytes: number }

/** The times that Node itself keeps, as `http.createServer` takes them: it refuses headers that may take longer than all. */
export const serverTimes = (limits: ConnectionLimits) => ({
  headersTimeout: Math.min(limits.headersTimeoutMs, limits.requestTimeoutMs),
  requestTimeout: limits.requestTimeoutMs,
  keepAliveTimeout: limits.keepAliveMs,
  connectionsCheckingInterval: limits.checkEveryMs,
})

/**
 * Cuts what Node does not: connections over the caps, and clients that do not read an answer. When the server is full,
 * `makeRoom` ends those that rest between two requests. A server of HTTP/1.1 keeps `serverTimes`; `isProxy` names the
 * addresses that stand for many clients. Costs a request nothing: it counts connections, and looks at them every
 * `checkEveryMs`.
 */
export const guardConnections = (
  server: Server,
  options: {
    limits: ConnectionLimits
    /** What is done when there is no room for one more; nothing when left out. */
    makeRoom?: () => void
    isProxy?: (address: string) => boolean
    /** Addresses that have lost their claim to be read, and what is said to them instead. */
    blocked?: { isBlocked: (address: string) => boolean; refuse: (socket: Socket) => void }
    nowMs: () => number
    onCut: (reason: CutReason) => void
  },
): void => {
  const { limits, nowMs, isProxy = () => false, makeRoom = () => undefined, blocked, onCut } = options
  const perAddress = new Map<string, number>()
  const open = new Map<Socket, Waiting | null>()

  const take = (socket: Socket): void => {
    const address = socket.remoteAddress ?? ''
    const client = networkOf(address)
    const count = (perAddress.get(client) ?? 0) + 1
    const isBlocked = blocked?.isBlocked(address) === true
    if (count > (isBlocked ? LEFT_WHEN_BLOCKED : limits.maxPerAddress) && !isProxy(address)) {
      socket.destroy()
      onCut('address')
      return
    }
    perAddress.set(client, count)
    open.set(socket, null)
    if (isBlocked) holdUnread(socket)
    socket.once('close', () => {
      open.delete(socket)
      const left = (perAddress.get(client) ?? 1) - 1
      if (left === 0) perAddress.delete(client)
      else perAddress.set(client, left)
    })
  }

  // Whoever waits for a refusal does not try again meanwhile, and costs next to nothing.
  const holdUnread = (socket: Socket): void => {
    // Node's own server has just set it to be read, from the next tick on.
    process.nextTick(() => socket.pause())
    const refusal = setTimeout(() => blocked?.refuse(socket), HOLD_MS).unref()
    socket.once('close', () => clearTimeout(refusal))
  }

  const cutReaders = (): void => {
    for (const [socket, waiting] of open) {
      const takenBytes = socket.bytesWritten - socket.writableLength
      if (socket.writableLength === 0) open.set(socket, null)
      else if (waiting === null || takenBytes >= waiting.untilBytes)
        open.set(socket, { sinceMs: nowMs(), untilBytes: socket.bytesWritten })
      else if (nowMs() - waiting.sinceMs >= limits.requestTimeoutMs) {
        socket.destroy()
        onCut('reader')
      }
    }
  }

  server.maxConnections = limits.maxConnections
  server.on('connection', take)
  server.on('drop', () => {
    makeRoom()
    onCut('total')
  })
  const timer = setInterval(cutReaders, limits.checkEveryMs).unref()
  server.once('close', () => clearInterval(timer))
}
