import type { Socket } from 'node:net'
import { createServiceImplSpec, type ServiceImplSpec } from '@connectrpc/connect'
import {
  Server,
  ServerCredentials,
  type ServiceDefinition,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js'
import { Health } from '../../gen/health/v1/health_pb.js'
import { CONNECTION_LIMITS, type ConnectionLimits, type CutReason } from '../../runtime/connection-guard.ts'
import { closeWithin } from '../../runtime/listen.ts'
import { type GrpcListener, listenForGrpc } from './grpc-connections.ts'
import { toGrpcMethod } from './grpc-methods.ts'
import type { Protocols } from './protocols.ts'
import type { ServerTls } from './server-tls.ts'
import { type ServedServices, specsOf } from './services.ts'

export type GrpcServer = { port: number; close(): Promise<void> }

/** The largest request that is read, bytes: callbacks are the largest, and they are small. */
const MAX_MESSAGE_BYTES = 256 * 1024

/** What one client may hold: calls at once, and a connection that is silent or dead for so long, ms. */
const LIMITS = {
  'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
  'grpc.max_concurrent_streams': 1_000,
  'grpc.keepalive_time_ms': 60_000,
  'grpc.keepalive_timeout_ms': 20_000,
  'grpc.max_connection_idle_ms': 600_000,
}

/**
 * Serves the services over native gRPC. `grpc-js` is measured at 3.5 times what the HTTP/2 server of `connect-node`
 * does, so it carries native gRPC; the implementations are the same. `port` 0 takes a free one. Rejects when the port
 * is taken.
 */
export const startGrpcServer = async (options: {
  services: ServedServices
  /** Health and reflection; neither when left out. */
  protocols?: Protocols
  host: string
  port: number
  /** Null or left out: plaintext. */
  tls?: ServerTls | null
  limits?: ConnectionLimits
  /** Called for each connection that the limits cut. */
  onCut?: (reason: CutReason) => void
}): Promise<GrpcServer> => {
  const { tls = null, limits = CONNECTION_LIMITS, onCut = () => undefined } = options
  const server = new Server(LIMITS)
  for (const spec of Object.values(specsOf(options.services))) addService(server, spec)
  const { health, reflection } = options.protocols ?? {}
  if (health) addService(server, createServiceImplSpec<typeof Health>(Health, health.service))
  reflection?.addToGrpc(server)
  // TLS, where there is any, ends at the listener.
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure())
  const inject = (socket: Socket): void => injector.injectConnection(socket)
  const listener = await listenForGrpc({
    host: options.host,
    port: options.port,
    tls,
    limits,
    onCut,
    inject,
  })
  return { port: listener.port, close: () => close(server, listener) }
}

const addService = (server: Server, spec: ServiceImplSpec): void => {
  const methods = Object.values(spec.methods).map(toGrpcMethod)
  server.addService(
    Object.fromEntries(methods.map(({ name, definition }) => [name, definition])) satisfies ServiceDefinition,
    Object.fromEntries(
      methods.map(({ name, handle }) => [name, handle]),
    ) satisfies UntypedServiceImplementation,
  )
}

/** How long calls under way may take to finish when the server closes, ms. */
const CLOSE_MS = 10_000

const close = (server: Server, listener: GrpcListener): Promise<void> =>
  closeWithin(
    CLOSE_MS,
    () =>
      new Promise<void>((resolve) => {
        listener.close()
        server.tryShutdown(() => resolve())
      }),
    () => server.forceShutdown(),
  )
