import { once } from 'node:events'
import type { Server } from 'node:net'

/**
 * Listens at `host` and `port`, 0 takes a free one. Resolves with the port; rejects when the server cannot listen
 * there.
 */
export const listen = async (server: Server, host: string, port: number): Promise<number> => {
  server.listen(port, host)
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the server listens on no port')
  return address.port
}

/**
 * The URL at which this machine reaches what listens at `host`. What listens at every address of a machine, as in a
 * container, is reached from that machine by its own.
 */
export const urlHere = (host: string, port: number, scheme = 'http'): string => {
  const reachable = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host
  return `${scheme}://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`
}

/**
 * Closes a server: `finish` takes no more connections and resolves when those that are open have ended; `cut`, which
 * ends them, is called when that takes longer than `graceMs`.
 */
export const closeWithin = async (
  graceMs: number,
  finish: () => PromiseLike<unknown>,
  cut: () => void,
): Promise<void> => {
  const timer = setTimeout(cut, graceMs)
  try {
    await finish()
  } finally {
    clearTimeout(timer)
  }
}
