import { type Server, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { WRONG_VERSION } from '../runtime/framing.ts'
import { JSON_TYPE, MESSAGES, renderError, tooManyWrongKeys } from './errors.ts'

/** The answers to HTTP that Node's parser gave up on, by the error's code; everything else is a 400. */
const ANSWERS: ReadonlyMap<string, { status: string; message: string }> = new Map([
  [
    'HPE_HEADER_OVERFLOW',
    { status: '431 Request Header Fields Too Large', message: MESSAGES.headersTooLarge },
  ],
  ['HPE_INVALID_VERSION', { status: '505 HTTP Version Not Supported', message: WRONG_VERSION.message }],
  ['ERR_HTTP_REQUEST_TIMEOUT', { status: '408 Request Timeout', message: MESSAGES.tooSlow }],
])

const MALFORMED = { status: '400 Bad Request', message: MESSAGES.malformedHttp }

/**
 * Answers what never became a request, and ends its connection. When an earlier request of the connection is still
 * being worked on, the connection is cut instead: its caller would take the refusal for the answer to that one, and a
 * payment that was accepted for one that was refused. A cut connection means "unknown: repeat with the same key".
 */
export const answerMalformedHttp = (
  error: Error & { code?: string },
  socket: Duplex,
  requestId: string,
): void => {
  // What comes behind a request that ends its connection is nobody's, and its own answer is still to go out.
  if (error.code === 'HPE_CLOSED_CONNECTION') return
  if (!socket.writable || awaitsAnswer(socket)) {
    socket.destroy()
    return
  }
  const { status, message } = ANSWERS.get(error.code ?? '') ?? MALFORMED
  endWith(socket, { status, message, requestId, headers: '' })
}

/**
 * Refuses CONNECT, for which Node makes no response object: nothing is tunnelled through here. Behind a request that is
 * still being worked on, the connection is cut, as for malformed HTTP.
 */
export const refuseTunnels = (server: Server, newRequestId: () => string): void => {
  server.on('connect', (_request, socket) => {
    if (awaitsAnswer(socket)) {
      socket.destroy()
      return
    }
    endWith(socket, {
      status: '405 Method Not Allowed',
      message: MESSAGES.noProxy,
      requestId: newRequestId(),
      headers: 'Allow: GET, HEAD, POST\r\n',
    })
  })
}

/**
 * How long whoever was refused has to read so, ms; then the connection is cut, for a client may keep its half open for
 * ever.
 */
const LINGER_MS = 1_000

/** Refuses a connection of which nothing was read, for its address showed too many wrong keys. */
export const refuseUnread = (socket: Duplex, waitSeconds: number, requestId: string): void =>
  endWith(socket, {
    status: '429 Too Many Requests',
    message: tooManyWrongKeys(waitSeconds),
    requestId,
    headers: `Retry-After: ${waitSeconds}\r\n`,
  })

const endWith = (
  socket: Duplex,
  answer: { status: string; message: string; requestId: string; headers: string },
): void => {
  const body = renderError(answer.message)
  const lingering = setTimeout(() => socket.destroy(), LINGER_MS).unref()
  socket.once('close', () => clearTimeout(lingering))
  socket.on('error', () => undefined)
  socket.end(
    `HTTP/1.1 ${answer.status}\r\nContent-Type: ${JSON_TYPE}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n` +
      `X-Request-Id: ${answer.requestId}\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n` +
      `${answer.headers}Connection: close\r\n\r\n${body}`,
  )
}

/**
 * True while a request that has arrived whole waits for its answer, or an answer has begun. Node keeps the response
 * that a socket is busy with in `_httpMessage`, and its own handler of malformed HTTP asks it the same. What is written
 * behind a whole answer, to the newest request of its connection, is taken for no other's.
 */
const awaitsAnswer = (socket: Duplex): boolean => {
  const response: unknown = '_httpMessage' in socket ? socket._httpMessage : undefined
  if (!(response instanceof ServerResponse)) return false
  const { req: request, headersSent, writableEnded } = response
  if (writableEnded && request.complete && newestRequest(socket) === request) return false
  return headersSent || request.complete
}

/** The last request whose headers Node's parser has read. */
const newestRequest = (socket: Duplex): unknown => {
  const parser: unknown = 'parser' in socket ? socket.parser : undefined
  return typeof parser === 'object' && parser !== null && 'incoming' in parser ? parser.incoming : undefined
}
