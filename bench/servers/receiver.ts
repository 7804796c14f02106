import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'

// A partner's endpoint that costs as little as can be: bare node:http that reads what comes, notes its id with the moment its
// headers came, and answers 200. `/hang/…` holds its answer for half a minute, `/fail/…` answers 500, `/moved/…` redirects.
// `POST /_take` answers with what came since it was last asked, as lines of `id ms-since-1970 times`, and forgets it;
// `POST /_count` with how many ids came.

type Arrival = { atMs: number; times: number }

let arrivals = new Map<string, Arrival>()

const HANG_MS = 30_000

const note = (request: IncomingMessage): void => {
  const id = String(request.headers['webhook-id'])
  const known = arrivals.get(id)
  if (known === undefined) arrivals.set(id, { atMs: performance.timeOrigin + performance.now(), times: 1 })
  else known.times += 1
}

const take = (): string => {
  const lines = [...arrivals].map(([id, { atMs, times }]) => `${id} ${atMs.toFixed(3)} ${times}`)
  arrivals = new Map()
  return lines.join('\n')
}

const answer = (path: string, response: ServerResponse): void => {
  if (path === '/_take') response.end(take())
  else if (path === '/_count') response.end(String(arrivals.size))
  else if (path.startsWith('/hang')) setTimeout(() => response.end('late'), HANG_MS)
  else if (path.startsWith('/fail')) response.writeHead(500).end('no')
  else if (path.startsWith('/moved')) response.writeHead(302, { location: '/elsewhere' }).end()
  else response.end('ok')
}

const server = createServer((request, response) => {
  const path = request.url ?? ''
  if (!path.startsWith('/_')) note(request)
  request.resume().on('end', () => answer(path, response))
})

// Connections that wait are not cut while another sends on them.
server.keepAliveTimeout = 60_000
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  process.stdout.write(
    `${JSON.stringify({ ready: true, url: `http://127.0.0.1:${port}`, port: String(port) })}\n`,
  )
})
