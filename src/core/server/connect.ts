import {
  CONNECTION_LIMITS,
  type ConnectionLimits,
  type CutReason,
  guardConnections,
} from '../../runtime/connection-guard.ts'
import { refuseFaultyFraming } from '../../runtime/framing.ts'
import { closeWithin, listen } from '../../runtime/listen.ts'
import { allowOrigins } from './allow-origins.ts'
import { type ConnectListener, createConnectListener } from './connect-connections.ts'
import { createConnectHandler } from './connect-handler.ts'
import type { Protocols } from './protocols.ts'
import type { ServerTls } from './server-tls.ts'
import type { ServedServices } from './services.ts'

export type ConnectServer = { port: number; close(): Promise<void> }

/**
 * Serves the services over Connect and gRPC-Web, on HTTP/1.1 (what browsers, proxies and `curl` speak) and HTTP/2, where
 * native gRPC is answered too. `port` 0 takes a free one. Rejects when the port is taken.
 */
export const startConnectServer = async (options: {
  services: ServedServices
  /** Health and reflection; neither when left out. */
  protocols?: Protocols
  /** Whose pages may call from a browser; nobody's when left out. */
  allowedOrigins?: readonly string[]
  host: string
  port: number
  /** Null or left out: plaintext. */
  tls?: ServerTls | null
  limits?: ConnectionLimits
  /** Called for each connection that the limits cut. */
  onCut?: (reason: CutReason) => void
}): Promise<ConnectServer> => {
  const { tls = null, limits = CONNECTION_LIMITS, onCut = () => undefined } = options
  const closing = new AbortController()
  const answer = createConnectHandler({
    services: options.services,
    ...(options.protocols && { protocols: options.protocols }),
    shutdownSignal: closing.signal,
  })
  const handle = allowOrigins(options.allowedOrigins ?? [], answer)
  const refused = (message: string): string => JSON.stringify({ code: 'invalid_argument', message })
  const listener = createConnectListener({
    tls,
    limits,
    onCut,
    handleHttp1: refuseFaultyFraming(handle, refused),
    handleHttp2: handle,
  })
  const { server } = listener
  const makeRoom = (): void => server.closeIdleConnections()
  guardConnections(server, { limits, makeRoom, nowMs: () => performance.now(), onCut })
  const port = await listen(server, options.host, options.port)
  return { port, close: () => close(listener, closing) }
}

/** How long calls under way may take to finish when the server closes, ms. */
const CLOSE_MS = 10_000

/** How often connections that have become idle meanwhile are closed, ms. */
const SWEEP_MS = 50

const close = async (listener: ConnectListener, closing: AbortController): Promise<void> => {
  const sweep = setInterval(() => listener.closeIdle(), SWEEP_MS)
  const finish = (): Promise<void> =>
    new Promise((resolve) => {
      listener.server.close(() => resolve())
      listener.finish()
    })
  const cut = (): void => {
    closing.abort()
    listener.cut()
  }
  await closeWithin(CLOSE_MS, finish, cut).finally(() => clearInterval(sweep))
}
