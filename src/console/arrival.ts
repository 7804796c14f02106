import type { IncomingMessage, Server } from 'node:http'

// Node has one time for all requests of a server, and a statement over a slow line needs longer than anything else may
// take. So Node keeps the time of an upload, and the short one is kept here, from the headers on: for whoever asks, before
// it is known who that is.

/**
 * Cuts the connection of a request that is not whole so many ms after its headers. Returns what lets one request take
 * as long as Node lets it.
 */
export const limitArrival = (
  server: Server,
  options: { requestTimeoutMs: number; onCut: () => void },
): ((request: IncomingMessage) => void) => {
  const timers = new WeakMap<IncomingMessage, NodeJS.Timeout>()
  const exempt = (request: IncomingMessage): void => clearTimeout(timers.get(request))
  const cut = (request: IncomingMessage): void => {
    if (request.complete) return
    request.socket.destroy()
    options.onCut()
  }
  server.prependListener('request', (request) => {
    timers.set(request, setTimeout(cut, options.requestTimeoutMs, request).unref())
    request.once('close', () => exempt(request))
  })
  return exempt
}
