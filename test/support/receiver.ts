import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'

export type Received = { path: string; headers: Record<string, string>; body: string; method: string }

/** Answers one request; `received` is what came, with its body. */
export type Behaviour = (received: Received, response: ServerResponse) => void

/** A partner's endpoint of a test's own. */
export type Receiver = {
  url: string
  port: number
  /** Everything that came, in its order. */
  received: Received[]
  /** What it answers from now on. */
  behave: (behaviour: Behaviour) => void
  close: () => Promise<void>
}

export const answerWith =
  (status: number, body = 'ok', headers: Record<string, string> = {}): Behaviour =>
  (_received, response) => {
    response.writeHead(status, headers).end(body)
  }

/** Starts an endpoint that answers 200 until it is told otherwise. */
export const startReceiver = async ({ host = '127.0.0.1', port = 0 } = {}): Promise<Receiver> => {
  const received: Received[] = []
  let behaviour = answerWith(200)
  const take = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    let body = ''
    for await (const chunk of request.setEncoding('utf8')) body += String(chunk)
    const headers = Object.fromEntries(
      Object.entries(request.headers).map(([name, value]) => [name, String(value)]),
    )
    const one = { path: request.url ?? '', method: request.method ?? '', headers, body }
    received.push(one)
    behaviour(one, response)
  }
  const server = createServer((request, response) => {
    take(request, response).catch(() => response.destroy())
  })
  server.listen(port, host)
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    url: `http://127.0.0.1:${address.port}`,
    port: address.port,
    received,
    behave: (next) => {
      behaviour = next
    },
    close: async () => {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}
