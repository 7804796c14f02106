import { createServer, type RequestListener, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import {
  CONNECTION_LIMITS,
  type ConnectionLimits,
  type CutReason,
  guardConnections,
  serverTimes,
} from '../../runtime/connection-guard.ts'
import { refuseFaultyFraming } from '../../runtime/framing.ts'
import { closeWithin, listen } from '../../runtime/listen.ts'
import { createConnectHandler } from './connect-handler.ts'
import { type ServerTls, toTlsOptions } from './server-tls.ts'
import type { Services } from './services.ts'

export type ConnectServer = { port: number; close(): Promise<void> }

/**
 * Serves the services over Connect and gRPC-Web, on HTTP/1.1: what browsers, proxies and `curl` speak. `port` 0 takes a
 * free one. Rejects when the port is taken.
 */
export const startConnectServer = async (options: {
  services: Services
  host: string
  port: number
  /** Null or left out: plaintext. */
  tls?: ServerTls | null
  limits?: ConnectionLimits
  /** Called for each connection that the limits cut. */
  onCut?: (reason: CutReason) => void
}): Promise<ConnectServer> => {
  const { limits = CONNECTION_LIMITS, onCut = () => undefined } = options
  const closing = new AbortController()
  const handle = createConnectHandler({ services: options.services, shutdownSignal: closing.signal })
  const refused = (message: string): string => JSON.stringify({ code: 'invalid_argument', message })
  const server = createListener(options.tls ?? null, limits, refuseFaultyFraming(handle, refused))
  const makeRoom = (): void => server.closeIdleConnections()
  guardConnections(server, { limits, makeRoom, nowMs: () => performance.now(), onCut })
  const port = await listen(server, options.host, options.port)
  return { port, close: () => close(server, closing) }
}

const createListener = (tls: ServerTls | null, limits: ConnectionLimits, handle: RequestListener): Server => {
  const times = serverTimes(limits)
  if (tls === null) return createServer(times, handle)
  const secure = { ...times, ...toTlsOptions(tls, limits.headersTimeoutMs) }
  return createTlsServer(secure, handle)
}

/** How long calls under way may take to finish when the server closes, ms. */
const CLOSE_MS = 10_000

const close = (server: Server, closing: AbortController): Promise<void> =>
  closeWithin(
    CLOSE_MS,
    () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeIdleConnections()
      }),
    () => {
      closing.abort()
      server.closeAllConnections()
    },
  )
