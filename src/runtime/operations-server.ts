import { createServer, type RequestListener, type Server, type ServerResponse } from 'node:http'
import type { Registry } from 'prom-client'
import { CONNECTION_LIMITS, guardConnections, serverTimes } from './connection-guard.ts'
import { createDropReporter } from './drop-reporter.ts'
import { refuseFaultyFraming } from './framing.ts'
import { listen, urlHere } from './listen.ts'
import type { Log } from './log.ts'
import { createRedact } from './redact.ts'

/** Whether a process can do its work now, and what it found of the parts that it needs. */
export type Readiness = { ready: boolean; parts: Record<string, string> }

export type OperationsServer = {
  url: string
  close(): Promise<void>
}

/**
 * The port for operators, never the public one: `/healthz` (the process is alive), `/readyz` (200 when it can do its
 * work, else 503; the body names each part's state) and `/metrics` (Prometheus). Port 0 takes a free one. Rejects when
 * the port is taken.
 */
export const startOperationsServer = async (options: {
  host: string
  port: number
  registry: Registry
  readiness: () => Promise<Readiness>
  log: Log
}): Promise<OperationsServer> => {
  const server = createServer(
    serverTimes(CONNECTION_LIMITS),
    refuseFaultyFraming(answer(options), (error) => JSON.stringify({ error })),
  )
  const nowMs = (): number => performance.now()
  const onCut = createDropReporter({
    door: 'operations',
    log: options.log,
    registry: options.registry,
    nowMs,
  })
  const makeRoom = (): void => server.closeIdleConnections()
  guardConnections(server, { limits: CONNECTION_LIMITS, makeRoom, nowMs, onCut })
  const port = await listen(server, options.host, options.port)
  return { url: urlHere(options.host, port), close: () => close(server) }
}

const close = (server: Server): Promise<void> =>
  new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })

type Page = { status: number; type: string; body: string }

const json = (status: number, value: unknown): Page => ({
  status,
  type: 'application/json',
  body: JSON.stringify(value),
})

const answer =
  (options: { registry: Registry; readiness: () => Promise<Readiness>; log: Log }): RequestListener =>
  (request, response) => {
    // Nothing here takes a body.
    request.resume()
    render(options, request.method ?? '', request.url?.split('?', 1)[0] ?? '/')
      .catch((error: unknown) => {
        options.log.error({ event: 'operations_request_failed', err: error })
        return json(500, { error: 'failed, see the log' })
      })
      .then((page) => send(response, page, request.method))
      .catch((error: unknown) => options.log.error({ event: 'operations_answer_failed', err: error }))
  }

const render = async (
  options: { registry: Registry; readiness: () => Promise<Readiness> },
  method: string,
  path: string,
): Promise<Page> => {
  if (method !== 'GET' && method !== 'HEAD') return json(405, { error: 'only GET' })
  switch (path) {
    case '/healthz':
      return json(200, { alive: true })
    case '/readyz': {
      const { ready, parts } = await options.readiness()
      const found = { ready, ...parts }
      return json(ready ? 200 : 503, found)
    }
    case '/metrics':
      return {
        status: 200,
        type: options.registry.contentType,
        body: redactLabels(await options.registry.metrics()),
      }
    default:
      return json(404, { error: 'there are /healthz, /readyz and /metrics' })
  }
}

const redact = createRedact()

/** Labels stand between a line's braces; a value may have the digits of a number without being one. */
const redactLabels = (metrics: string): string =>
  metrics.replaceAll(/^[A-Za-z0-9_:]+\{.*\}/gm, (labels) => redact(labels))

const send = (response: ServerResponse, page: Page, method: string | undefined): void => {
  response.writeHead(page.status, {
    'content-type': page.type,
    'content-length': Buffer.byteLength(page.body),
    'cache-control': 'no-store',
    ...(page.status === 405 && { allow: 'GET, HEAD' }),
  })
  response.end(method === 'HEAD' ? undefined : page.body)
}
