import { randomBytes } from 'node:crypto'
import type { Registry } from 'prom-client'
import { startFacade } from '../facade/server.ts'
import { type CoreClients, createCoreClients } from '../remote-core/clients.ts'
import { type CoreTls, openCoreConnections } from '../remote-core/connections.ts'
import { coreReadiness } from '../remote-core/readiness.ts'
import { secretsOf } from '../runtime/config.ts'
import { countErrors } from '../runtime/count-errors.ts'
import { type FacadeConfig, readFacadeConfig } from '../runtime/facade-config.ts'
import { createLog, type Log } from '../runtime/log.ts'
import { createMetrics } from '../runtime/metrics.ts'
import { startOperationsServer } from '../runtime/operations-server.ts'
import { announceReady } from '../runtime/ready.ts'
import { untilStopOrDefect, untilStopped } from '../runtime/shutdown.ts'
import { openSpans, type Spans } from '../runtime/tracing/tracing.ts'
import { readCoreTls } from './core-tls.ts'
import type { Environment } from './environment.ts'
import { limitsOf } from './open-rpc.ts'

/**
 * `serve --facade-only`: the REST API in a process of its own, which has neither a database nor a secret of ours, before
 * a core behind gRPC. It does not wait for the core: while that is away, requests and callbacks are answered 503, and
 * `/readyz` says so.
 */
export const serveFacade = async (options: {
  environment: Environment
  stopRequested: Promise<string>
  json: boolean
}): Promise<void> => {
  const { environment, stopRequested, json } = options
  const config = readFacadeConfig(environment)
  const tls = await readCoreTls(config.core)
  const secrets = secretsOf(environment)
  const registry = createMetrics()
  const log = createLog({
    name: 'facade',
    level: config.logLevel,
    secrets,
    onLine: countErrors(registry),
  })
  await untilStopped({
    stopRequested,
    log,
    run: () => serve({ config, tls, log, registry, secrets, stopRequested, json }),
  })
}

/** What is opened is closed in the opposite order, whatever happens. */
const serve = async (options: {
  config: FacadeConfig
  tls: CoreTls
  log: Log
  registry: Registry
  secrets: readonly string[]
  stopRequested: Promise<string>
  json: boolean
}): Promise<void> => {
  const { config, tls, log, registry, secrets } = options
  await using open = new AsyncDisposableStack()
  const spans = await openSpans({ config: config.tracing, name: 'facade', registry, log, secrets })
  open.defer(() => spans?.close())
  const connections = openCoreConnections({ urls: config.core.urls, tls })
  open.defer(() => connections.close())
  const clients = createCoreClients({ connections, token: config.core.token })
  let isStopping = false
  const urls = await listen({ config, clients, isStopping: () => isStopping, log, registry, spans, open })
  announceReady({ json: options.json, text: textOf(urls), fields: { process: 'facade', ...urls } })
  const { ready, parts } = await coreReadiness(clients, false)
  const line = { event: 'ready', ...urls, ...parts }
  if (ready) log.info(line)
  else log.warn(line)
  await untilStopOrDefect([options.stopRequested], log)
  isStopping = true
}

const listen = async (parts: {
  config: FacadeConfig
  clients: CoreClients
  isStopping: () => boolean
  log: Log
  registry: Registry
  spans: Spans | undefined
  open: AsyncDisposableStack
}): Promise<{ http_url: string; ops_url: string }> => {
  const { config, clients, isStopping, log, registry, spans, open } = parts
  const readiness = () => coreReadiness(clients, isStopping())
  const { host, port } = config.operations
  const operations = await startOperationsServer({ host, port, registry, readiness, log })
  open.defer(() => operations.close())
  const { payments, darajaCallbacks, status } = clients
  const facade = await startFacade({
    payments,
    darajaCallbacks,
    status,
    log,
    registry,
    spans,
    randomBytes,
    limits: limitsOf(config),
    publicUrl: config.documents.publicUrl,
    deliveryScheduleMs: config.documents.deliveryScheduleMs,
    trustedProxies: config.http.trustedProxies ?? [],
    host: config.http.host,
    port: config.http.port,
  })
  open.defer(() => facade.close())
  return { http_url: facade.url, ops_url: operations.url }
}

const textOf = (urls: { http_url: string }): string =>
  `The facade serves REST at ${urls.http_url}, before the core at CORE_URL`
