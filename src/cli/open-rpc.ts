import type { Registry } from 'prom-client'
import { startConnectServer } from '../core/server/connect.ts'
import { startGrpcServer } from '../core/server/grpc.ts'
import { createHealth, type Health } from '../core/server/health.ts'
import { createReflection } from '../core/server/reflection.ts'
import type { ServerTls } from '../core/server/server-tls.ts'
import { type Services, servicesOf } from '../core/server/services.ts'
import { DarajaCallbackService } from '../gen/mpesa/gateway/v1/daraja_callbacks_pb.js'
import { CONNECTION_LIMITS, type ConnectionLimits } from '../runtime/connection-guard.ts'
import { createDropReporter } from '../runtime/drop-reporter.ts'
import { urlHere } from '../runtime/listen.ts'
import type { Log } from '../runtime/log.ts'
import { startLoop } from '../runtime/loop.ts'
import type { Readiness } from '../runtime/operations-server.ts'
import type { ServeConfig } from '../runtime/serve-config.ts'

/** How often the health that gRPC tells is brought up to date, ms. */
const HEALTH_EVERY_MS = 1_000

const nowMs = (): number => performance.now()

/** Opens what internal services come through; closing, by `open`, finishes what is under way. */
export const openRpc = async (options: {
  config: ServeConfig
  services: Services
  readiness: () => Promise<Readiness>
  open: AsyncDisposableStack
  log: Log
  registry: Registry
  tls: ServerTls | null
}): Promise<{ grpcUrl: string; connectUrl: string }> => {
  const { services, readiness, open, log, registry, tls } = options
  const { host, port, connectPort, reflection, allowedOrigins } = options.config.grpc
  const limits = limitsOf(options.config)
  const described = servicesOf(services)
  const names = described.map(({ typeName }) => typeName)
  const health = createHealth(names)
  const protocols = { health, reflection: reflection ? await createReflection(described) : null }
  const reporterOf = (listener: 'grpc' | 'connect') =>
    createDropReporter({ door: listener, log, nowMs, registry })
  const grpc = await startGrpcServer({
    services,
    protocols,
    host,
    port,
    tls,
    limits,
    onCut: reporterOf('grpc'),
  })
  open.defer(() => grpc.close())
  const connect = await startConnectServer({
    services,
    protocols,
    host,
    port: connectPort,
    allowedOrigins: allowedOrigins ?? [],
    tls,
    limits,
    onCut: reporterOf('connect'),
  })
  open.defer(() => connect.close())
  const following = followReadiness({ health, names, readiness, log })
  open.defer(() => following.stop())
  const scheme = tls === null ? 'http' : 'https'
  return { grpcUrl: urlHere(host, grpc.port, scheme), connectUrl: urlHere(host, connect.port, scheme) }
}

/**
 * Brings the health of each service into step with the readiness of the process. Callbacks are taken also while the
 * database is away, so their service serves until the process stops.
 */
const followReadiness = (options: {
  health: Health
  names: readonly string[]
  readiness: () => Promise<Readiness>
  log: Log
}): { stop(): Promise<void> } => {
  const { health, names, readiness, log } = options
  const setAll = (isReady: boolean, takesCallbacks: boolean): void => {
    for (const name of ['', ...names]) {
      health.set(name, name === DarajaCallbackService.typeName ? takesCallbacks : isReady)
    }
  }
  const loop = startLoop({
    name: 'health',
    idleMs: HEALTH_EVERY_MS,
    round: async () => {
      const { ready } = await readiness()
      setAll(ready, true)
      return false
    },
    isOutage: () => false,
    log,
  })
  loop.ended.catch(() => undefined)
  return {
    stop: async () => {
      await loop.stop().catch(() => undefined)
      setAll(false, false)
      health.endWatches()
    },
  }
}

/** What the servers of `serve` take. */
export const limitsOf = ({ connections }: Pick<ServeConfig, 'connections'>): ConnectionLimits => ({
  maxConnections: connections.maxConnections,
  maxPerAddress: connections.maxPerAddress,
  headersTimeoutMs: connections.headersTimeoutMs,
  requestTimeoutMs: connections.requestTimeoutMs,
  keepAliveMs: connections.keepAliveMs,
  checkEveryMs: CONNECTION_LIMITS.checkEveryMs,
})
