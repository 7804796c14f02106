import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Clock } from '../runtime/clock.ts'

/** How many POSTs are kept; the oldest go first. */
const MAX_KEPT = 1_000
/** The largest body taken, in bytes. */
const MAX_BODY_BYTES = 1_048_576

/** One POST that arrived: headers by lower-case name, the body's text as it was sent. */
export type Received = {
  path: string
  headers: IncomingHttpHeaders
  body: string
  receivedAt: Date
}

export type Receiver = {
  readonly url: string
  readonly stop: () => Promise<void>
}

/** The transaction id of a callback's body; null when it is not one. */
export const transactionIdOf = (body: string): string | null => {
  try {
    const parsed: unknown = JSON.parse(body)
    if (typeof parsed !== 'object' || parsed === null || !('transaction_id' in parsed)) return null
    return String(parsed.transaction_id)
  } catch {
    return null
  }
}

/** Reads a body to its end; null when it is too large. */
const readBody = async (request: IncomingMessage): Promise<string | null> => {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request) {
    const part = Buffer.from(chunk)
    bytes += part.length
    if (bytes <= MAX_BODY_BYTES) chunks.push(part)
  }
  return bytes <= MAX_BODY_BYTES ? Buffer.concat(chunks).toString('utf8') : null
}

const answer = (response: ServerResponse, status: number, body: unknown): void => {
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8' })
  response.end(`${JSON.stringify(body)}\n`)
}

const viewOf = (received: Received): Record<string, unknown> => ({
  path: received.path,
  received_at: received.receivedAt.toISOString(),
  headers: received.headers,
  body: received.body,
})

/**
 * Starts a partner's endpoint for one machine: it takes every POST with 200, keeps the last thousand, and lists them,
 * the oldest first, at `GET /_received` (`?transaction_id=` lists those of one payment). `DELETE /_received` forgets
 * them. `onReceived` is called with each.
 */
export const startReceiver = async (options: {
  host: string
  port: number
  clock: Clock
  onReceived: (received: Received) => void
}): Promise<Receiver> => {
  const kept: Received[] = []

  const take = async (request: IncomingMessage, response: ServerResponse, path: string): Promise<void> => {
    const body = await readBody(request)
    if (body === null) return answer(response, 413, { error: `the body is over ${MAX_BODY_BYTES} bytes` })
    const received = { path, headers: request.headers, body, receivedAt: options.clock() }
    kept.push(received)
    if (kept.length > MAX_KEPT) kept.shift()
    answer(response, 200, { received: true })
    options.onReceived(received)
  }

  const list = (response: ServerResponse, transactionId: string | null): void => {
    const asked = kept.filter(({ body }) => transactionId === null || transactionIdOf(body) === transactionId)
    answer(response, 200, asked.map(viewOf))
  }

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(request.url ?? '/', 'http://receiver')
    if (request.method === 'POST') return take(request, response, url.pathname + url.search)
    if (url.pathname !== '/_received')
      return answer(response, 404, { error: 'POST anything, or GET /_received' })
    if (request.method === 'GET') return list(response, url.searchParams.get('transaction_id'))
    if (request.method !== 'DELETE') return answer(response, 405, { error: 'GET or DELETE' })
    kept.length = 0
    response.writeHead(204).end()
  }

  const server = createServer((request, response) => {
    handle(request, response).catch(() => response.destroy())
  })
  server.listen(options.port, options.host)
  await once(server, 'listening')
  const stop = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
  const address = server.address()
  const port = address !== null && typeof address === 'object' ? address.port : options.port
  return { url: `http://${options.host}:${port}`, stop }
}
