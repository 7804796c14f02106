import type { IncomingMessage, RequestListener } from 'node:http'
import type { Socket } from 'node:net'

/** What a server does with a request: answers it, refuses it and ends its connection, or does nothing more with it. */
export type FramingVerdict = { kind: 'sound' } | ({ kind: 'refused' } & Fault) | { kind: 'ignored' }

/** What is wrong with a request: the status of its answer, and what would be right. */
type Fault = { status: 400 | 505; message: string }

/** The answer to a version of HTTP that is none of ours (RFC 9110, section 15.6.6). */
export const WRONG_VERSION = {
  status: 505,
  message: 'the request line must say HTTP/1.1 or HTTP/1.0',
} as const satisfies Fault

/** The characters of a host and a port (RFC 3986, section 3.2.2). */
const HOST = /^[\w.~!$&'()*+,;=%:[\]-]+$/

const SOUND: FramingVerdict = { kind: 'sound' }

/**
 * Judges what Node's parser lets pass and RFC 9112 does not: of two readers of such a request one could see another
 * request than the other, or two of them. A load balancer before us may be that other. What was sent behind a refused
 * request on its connection is never answered.
 */
export const createFramingJudge = (): ((request: IncomingMessage) => FramingVerdict) => {
  const ending = new WeakSet<Socket>()
  return (request) => {
    if (ending.has(request.socket)) return { kind: 'ignored' }
    const fault = faultOf(request)
    if (fault === null) return SOUND
    ending.add(request.socket)
    return { kind: 'refused', ...fault }
  }
}

/**
 * `handle` for the requests that are sound; for the others an answer that ends the connection, with what `render`
 * makes.
 */
export const refuseFaultyFraming = (
  handle: RequestListener,
  render: (message: string) => string,
): RequestListener => {
  const judge = createFramingJudge()
  return (request, response) => {
    const verdict = judge(request)
    if (verdict.kind === 'sound') handle(request, response)
    if (verdict.kind !== 'refused') return
    const body = render(verdict.message)
    response.writeHead(verdict.status, {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      connection: 'close',
    })
    response.end(body)
  }
}

const faultOf = (request: IncomingMessage): Fault | null => {
  // Node's parser reads a request of HTTP/2.0, or without a version, as one of HTTP/1.1.
  if (request.httpVersion !== '1.1' && request.httpVersion !== '1.0') return WRONG_VERSION
  const message = misreadingOf(request)
  return message === null ? null : { status: 400, message }
}

const misreadingOf = ({ httpVersion, headers, rawHeaders }: IncomingMessage): string | null => {
  const coding = headers['transfer-encoding']
  if (coding !== undefined && httpVersion === '1.0') return 'HTTP/1.0 knows no Transfer-Encoding'
  if (coding !== undefined && coding.toLowerCase() !== 'chunked') return 'Transfer-Encoding must be chunked'
  if (countHosts(rawHeaders) > 1) return 'the header Host must stand there once'
  return isHost(headers.host ?? '') ? null : 'the header Host is not valid'
}

/** An empty one is allowed. */
const isHost = (host: string): boolean => host === '' || (HOST.test(host) && URL.canParse(`http://${host}`))

/** Node keeps the first of them only. Names and values alternate. */
const countHosts = (rawHeaders: readonly string[]): number => {
  let count = 0
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]
    if (name?.length === 4 && name.toLowerCase() === 'host') count += 1
  }
  return count
}
