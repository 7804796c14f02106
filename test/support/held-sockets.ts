import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { Socket } from 'node:net'

/** The client's side of connections that requests to one path are written to. */
export type HeldSockets = {
  /** Ends the one that was written to last, with this error, as the system does for a route that is gone. */
  cut(error: Error): void
  release(): void
}

/** Finds the sockets by which this process sends requests to `path`, through undici. */
export const holdSockets = (path: string): HeldSockets => {
  const sockets: Socket[] = []
  const note = (message: unknown): void => {
    const { request, socket } = message as { request: { path: string }; socket: Socket }
    if (request.path === path) sockets.push(socket)
  }
  subscribe('undici:client:sendHeaders', note)
  return {
    cut: (error) => sockets.at(-1)?.destroy(error),
    release: () => unsubscribe('undici:client:sendHeaders', note),
  }
}
