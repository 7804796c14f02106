import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2'
import { createServer, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { type ConnectionLimits, type CutReason, guardConnections } from '../../runtime/connection-guard.ts'
import { listen } from '../../runtime/listen.ts'
import { limitRequest } from './limit-calls.ts'
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
 * handshake, is cut, and so is a handshake that takes longer. A call whose request does not come whole within
 * `requestTimeoutMs` is ended. `port` 0 takes a free one. Rejects when the port is taken.
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
  const unfollow = followCalls(port, (stream, headers) =>
    limitRequest(stream, headers, limits.requestTimeoutMs, onCut),
  )
  server.once('close', unfollow)
  return { port, close: () => server.close() }
}

/** Node's documented channel for each call of HTTP/2 that comes in: `grpc-js` shows none before it has come whole. */
const CHANNEL = 'http2.server.stream.created'

type Follow = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void

/** Calls `follow` with each call that comes in at the port; returns what ends that. */
const followCalls = (port: number, follow: Follow): (() => void) => {
  const onCall = (message: unknown): void => {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what Node says that it publishes there
    const { stream, headers } = message as { stream: ServerHttp2Stream; headers: IncomingHttpHeaders }
    if (stream.session?.socket.localPort === port) follow(stream, headers)
  }
  subscribe(CHANNEL, onCall)
  return () => void unsubscribe(CHANNEL, onCall)
}

const createListener = (tls: ServerTls | null, limits: ConnectionLimits): Server => {
  if (tls === null) return createServer({ noDelay: true })
  const secure = { noDelay: true, ALPNProtocols: ['h2'], ...toTlsOptions(tls, limits.headersTimeoutMs) }
  return createTlsServer(secure)
}
