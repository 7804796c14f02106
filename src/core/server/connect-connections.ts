import { createServer, type RequestListener, type Server } from 'node:http'
import {
  createServer as createHttp2Server,
  type Http2Server,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2'
import { createServer as createTlsServer } from 'node:https'
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { type ConnectionLimits, type CutReason, serverTimes } from '../../runtime/connection-guard.ts'
import { limitAnswer, limitRequest } from './limit-calls.ts'
import { requireBytes } from './require-bytes.ts'
import { type ServerTls, toTlsOptions } from './server-tls.ts'

/** How HTTP/2 begins a connection (RFC 9113, section 3.4): no method of HTTP/1.1 begins with these characters. */
const PREFACE_START = Buffer.from('PRI')

/** What one connection may hold, as for native gRPC. */
const MAX_STREAMS = 1_000

/** Where connections for Connect, gRPC-Web and gRPC come in. */
export type ConnectListener = {
  /** The server that listens. */
  server: Server
  /** Tells connections of HTTP/2 that no more calls are taken; those under way finish. */
  finish(): void
  /** Closes connections without a call. */
  closeIdle(): void
  /** Ends all connections. */
  cut(): void
}

/**
 * A server of HTTP/1.1 and HTTP/2 on one port: with TLS the handshake says which it is (ALPN), without TLS the first
 * bytes do. A connection that does not show it within `headersTimeoutMs` is cut. It does not listen yet.
 */
export const createConnectListener = (options: {
  tls: ServerTls | null
  limits: ConnectionLimits
  onCut: (reason: CutReason) => void
  handleHttp1: RequestListener
  handleHttp2: (request: Http2ServerRequest, response: Http2ServerResponse) => void
}): ConnectListener => {
  const { tls, limits, onCut } = options
  const server = createListener(tls, limits, options.handleHttp1)
  const http2 = createHttp2Server({ settings: { maxConcurrentStreams: MAX_STREAMS } }, options.handleHttp2)
  const { sessions, begin } = followSessions(http2, limits.keepAliveMs)
  http2.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    limitRequest(stream, headers, limits.requestTimeoutMs, onCut)
    limitAnswer(stream, limits.requestTimeoutMs, onCut)
  })
  const toHttp2 = (socket: Socket): void => {
    requireBytes(socket, 'preface', limits.headersTimeoutMs, onCut)
    begin(socket)
  }
  takeOver(server, tls === null ? 'connection' : 'secureConnection', (socket, toHttp1) => {
    if (socket instanceof TLSSocket) {
      if (socket.alpnProtocol === 'h2') toHttp2(socket)
      else toHttp1()
      return
    }
    if (socket.destroyed) return
    const isShown = requireBytes(socket, 'start', limits.headersTimeoutMs, onCut)
    readStart(socket, (isHttp2) => {
      isShown()
      if (isHttp2) toHttp2(socket)
      else toHttp1()
    })
  })
  return {
    server,
    finish: () => {
      for (const session of sessions.keys()) session.close()
    },
    closeIdle: () => {
      server.closeIdleConnections()
      // A session that was closed leaves its socket to the client, which may keep it.
      for (const [session, socket] of sessions) if (session.destroyed) socket.destroySoon()
    },
    cut: () => {
      server.closeAllConnections()
      for (const socket of sessions.values()) socket.destroy()
    },
  }
}

const createListener = (tls: ServerTls | null, limits: ConnectionLimits, handle: RequestListener): Server => {
  const times = serverTimes(limits)
  if (tls === null) return createServer(times, handle)
  const secure = {
    ...times,
    ALPNProtocols: ['h2', 'http/1.1'],
    ...toTlsOptions(tls, limits.headersTimeoutMs),
  }
  return createTlsServer(secure, handle)
}

/** Begins sessions of HTTP/2, and keeps those that are open. One without a call for `idleMs` is closed. */
const followSessions = (http2: Http2Server, idleMs: number) => {
  const sessions = new Map<ServerHttp2Session, Socket>()
  const begin = (socket: Socket): void => {
    const keep = (session: ServerHttp2Session): void => {
      sessions.set(session, socket)
      session.setTimeout(idleMs, () => session.close())
      session.once('close', () => sessions.delete(session))
    }
    // Node begins the session at once, or not at all.
    http2.once('session', keep)
    http2.emit('connection', socket)
    http2.off('session', keep)
  }
  // What breaks on a connection ends that connection.
  http2.on('sessionError', (_error, session) => session.destroy())
  return { sessions, begin }
}

/** Puts `route` between a server's connections and what Node does with them; whoever listens besides is not touched. */
const takeOver = (
  server: Server,
  name: 'connection' | 'secureConnection',
  route: (socket: Socket, toHttp1: () => void) => void,
): void => {
  const own = server.listeners(name)
  server.removeAllListeners(name)
  server.on(name, (socket: Socket) => {
    route(socket, () => {
      for (const listen of own) Reflect.apply(listen, server, [socket])
    })
  })
}

/** Reads as much of a connection as tells HTTP/2 from HTTP/1.1, and puts it back. */
const readStart = (socket: Socket, found: (isHttp2: boolean) => void): void => {
  let start: Buffer = Buffer.alloc(0)
  const read = (): void => {
    const chunk: Buffer | null = socket.read()
    if (chunk === null) return
    start = Buffer.concat([start, chunk])
    const compared = Math.min(start.length, PREFACE_START.length)
    const canBeHttp2 = start.subarray(0, compared).equals(PREFACE_START.subarray(0, compared))
    if (canBeHttp2 && compared < PREFACE_START.length) return
    socket.off('readable', read)
    socket.off('error', ignore)
    socket.unshift(start)
    found(canBeHttp2)
  }
  socket.on('error', ignore)
  socket.on('readable', read)
}

const ignore = (): void => undefined
