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
