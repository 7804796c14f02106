import { connect, type Socket } from 'node:net'
import type { Address } from './resolve-host.ts'

/** How many addresses of one name are tried: a zone can name thousands, and each costs a connection. */
const MOST_ADDRESSES = 8

/** After how long of silence the next address is tried as well, ms (RFC 8305, 5: 250 is what it recommends). */
export const NEXT_ADDRESS_MS = 250

/**
 * Connects to whichever of the addresses answers first (RFC 8305, "Happy Eyeballs"): they are tried in alternation of
 * the two families, the next one when the one before failed or was silent for `nextMs`. None is given up before the
 * signal says so, for a handshake that lost a packet takes a second and more. `refuse` is asked for each before it is
 * connected to. Rejects with the first error when all have failed, and with the signal's reason when that is aborted
 * first.
 */
export const dial = async (options: {
  addresses: readonly Address[]
  port: number
  nextMs: number
  refuse: (address: string) => void
  signal: AbortSignal
}): Promise<Socket> => {
  const { port, nextMs, refuse, signal } = options
  signal.throwIfAborted()
  const { promise, resolve, reject } = Promise.withResolvers<Socket>()
  const waiting = inTurns(options.addresses).slice(0, MOST_ADDRESSES)
  const open = new Set<Socket>()
  let timer: NodeJS.Timeout | undefined
  let firstError: unknown

  const fail = (error: unknown): void => {
    firstError ??= error
    dialNext()
    if (open.size === 0) reject(firstError)
  }
  const dialNext = (): void => {
    clearTimeout(timer)
    const next = waiting.shift()
    if (next === undefined) return
    timer = setTimeout(dialNext, nextMs)
    try {
      refuse(next.address)
      open.add(dialOne(next, port))
    } catch (error) {
      fail(error)
    }
  }
  const dialOne = ({ address, family }: Address, toPort: number): Socket => {
    const socket = connect({
      host: address,
      family,
      port: toPort,
      autoSelectFamily: false,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: 60_000,
    })
    socket.once('connect', () => {
      open.delete(socket)
      resolve(socket)
    })
    // For good: between this and whoever uses the connection there must be no moment without a listener.
    socket.on('error', (error) => {
      if (open.delete(socket)) fail(error)
    })
    return socket
  }

  const abort = (): void => reject(signal.reason)
  signal.addEventListener('abort', abort)
  dialNext()
  try {
    return await promise
  } finally {
    signal.removeEventListener('abort', abort)
    clearTimeout(timer)
    for (const socket of open) socket.destroy()
  }
}

/** The families alternately, each in its own order, beginning with that of the first address. */
export const inTurns = (addresses: readonly Address[]): Address[] => {
  const [first] = addresses
  const ours = addresses.filter(({ family }) => family === first?.family)
  const others = addresses.filter(({ family }) => family !== first?.family)
  return Array.from({ length: Math.max(ours.length, others.length) }, (_one, index) => [
    ours[index] ?? [],
    others[index] ?? [],
  ]).flat(2)
}
