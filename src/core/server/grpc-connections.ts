import { createServer, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { type ConnectionLimits, type CutReason, guardConnections } from '../../runtime/connection-guard.ts'
import { listen } from '../../runtime/listen.ts'
import { requireBytes } from './require-bytes.ts'
import { type ServerTls, toTlsOptions } from './server-tls.ts'

/** Where connections for native gRPC come in. */
export type GrpcListener = {
  port: number
  /** Takes no more connections; those that are open stay. */
  close(): void
}

/**
 * Listens for native gRPC, and hands on each connection that the limits let in: `grpc-js` has none of its own. Whoever
 * has not shown that it speaks HTTP/2 within `headersTimeoutMs`, of the connection's beginning or of the end of its
 * handshake, is cut, and so is a handshake that takes longer. `port` 0 takes a free one. Rejects when the port is
 * taken.
 */
export const listenForGrpc = async (options: {
  host: string
  port: number
  tls: ServerTls | null
  limits: ConnectionLimits
  onCut: (reason: CutReason) => void
  inject: (socket: Socket) => void
}): Promise<GrpcListener> => {
  const { limits, onCut } = options
  const take = (socket: Socket): void => {
    if (socket.destroyed) return
    socket.on('error', () => undefined)
    requireBytes(socket, 'preface', limits.headersTimeoutMs, onCut)
    options.inject(socket)
  }
  const server = createListener(options.tls, limits)
  guardConnections(server, { limits, nowMs: () => performance.now(), onCut })
  // After the guard's own: what it cut is destroyed by now.
  server.on(options.tls === null ? 'connection' : 'secureConnection', take)
  // Without a listener nobody would end a connection whose handshake failed.
  server.on('tlsClientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    socket.destroy()
    if (error.code === 'ERR_TLS_HANDSHAKE_TIMEOUT') onCut('sender')
  })
  const port = await listen(server, options.host, options.port)
  return { port, close: () => server.close() }
}

const createListener = (tls: ServerTls | null, limits: ConnectionLimits): Server => {
  if (tls === null) return createServer({ noDelay: true })
  const secure = { noDelay: true, ALPNProtocols: ['h2'], ...toTlsOptions(tls, limits.headersTimeoutMs) }
  return createTlsServer(secure)
}
