import type { Socket } from 'node:net'
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import {
  ConnectError,
  createContextValues,
  createHandlerContext,
  type MethodImplSpec,
} from '@connectrpc/connect'
import { setTrailerStatus } from '@connectrpc/connect/protocol-grpc'
import {
  type handleUnaryCall,
  Metadata,
  Server,
  ServerCredentials,
  type ServiceDefinition,
  type StatusObject,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js'
import { clientAddress } from '../../runtime/call-context.ts'
import { CONNECTION_LIMITS, type ConnectionLimits, type CutReason } from '../../runtime/connection-guard.ts'
import { closeWithin } from '../../runtime/listen.ts'
import { toPlainAddress } from '../../values/address-list.ts'
import { type GrpcListener, listenForGrpc } from './grpc-connections.ts'
import type { ServerTls } from './server-tls.ts'
import { type Services, specsOf } from './services.ts'
import { notDecoded } from './undecodable.ts'

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
  services: Services
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
  for (const spec of Object.values(specsOf(options.services))) {
    const methods = Object.values(spec.methods).map(toUnary)
    server.addService(
      Object.fromEntries(
        methods.map(({ name, definition }) => [name, definition]),
      ) satisfies ServiceDefinition,
      Object.fromEntries(
        methods.map(({ name, handle }) => [name, handle]),
      ) satisfies UntypedServiceImplementation,
    )
  }
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

type Unary = Extract<MethodImplSpec, { kind: 'unary' }>

const toUnary = (spec: MethodImplSpec) => {
  if (spec.kind !== 'unary') throw new Error(`${spec.method.name} streams, which this server does not carry`)
  const { method } = spec
  return {
    name: method.localName,
    definition: {
      path: `/${method.parent.typeName}/${method.name}`,
      requestStream: false,
      responseStream: false,
      requestSerialize: (message: Parameters<typeof toBinary>[1]) =>
        Buffer.from(toBinary(method.input, message)),
      requestDeserialize: (bytes: Buffer) => decode(method.input, bytes),
      responseSerialize: (message: Parameters<typeof toBinary>[1]) =>
        Buffer.from(toBinary(method.output, message)),
      responseDeserialize: (bytes: Buffer) => fromBinary(method.output, bytes),
    },
    handle: toHandler(spec),
  }
}

type Request = Parameters<Unary['impl']>[0]

/**
 * The message; bytes that are none are refused as the caller's fault, where `grpc-js` would report a defect of ours.
 */
const decode = (input: Unary['method']['input'], bytes: Buffer): Request | ConnectError => {
  try {
    return fromBinary(input, bytes)
  } catch (error) {
    return notDecoded(error)
  }
}

const toHandler =
  (spec: Unary): handleUnaryCall<Request | ConnectError, Parameters<typeof toBinary>[1]> =>
  (call, answer) => {
    const about = {
      service: spec.method.parent,
      method: spec.method,
      protocolName: 'grpc',
      requestMethod: 'POST',
      url: `http://${call.getHost()}${call.getPath()}`,
      requestHeader: toHeaders(call.metadata),
      contextValues: createContextValues().set(clientAddress, addressOf(call.getPeer())),
      ...remainingTime(call.getDeadline()),
    }
    const context = createHandlerContext(about)
    call.on('cancelled', () => context.abort())
    void run(spec, call.request, context)
      .then(
        (message) => answer(null, message, toMetadata(context.responseTrailer)),
        (error: unknown) => answer(toStatus(ConnectError.from(error))),
      )
      // Ends the timer of the call's deadline, which may be far away.
      .finally(() => context.abort())
  }

const run = async (spec: Unary, request: Request | ConnectError, context: Parameters<Unary['impl']>[1]) => {
  if (request instanceof ConnectError) throw request
  return create(spec.method.output, await spec.impl(request, context))
}

/** A peer is an address and a port, `192.0.2.1:4711` or `2001:db8::1:4711`. */
const addressOf = (peer: string): string => toPlainAddress(peer.replace(/:\d+$/, '')) ?? peer

const remainingTime = (deadline: Date | number): { timeoutMs?: number } => {
  const timeoutMs = Number(deadline) - Date.now()
  return Number.isFinite(timeoutMs) ? { timeoutMs } : {}
}

const toHeaders = (metadata: Metadata): Headers => {
  const headers = new Headers()
  for (const [name, value] of Object.entries(metadata.getMap()))
    if (typeof value === 'string') headers.set(name, value)
  return headers
}

const toMetadata = (headers: Headers): Metadata => {
  const metadata = new Metadata()
  headers.forEach((value, name) =>
    metadata.set(name, name.endsWith('-bin') ? Buffer.from(value, 'base64') : value),
  )
  return metadata
}

/** The error with its details and metadata in the trailers, as gRPC's clients of every language read them. */
const toStatus = (error: ConnectError): Partial<StatusObject> => {
  const trailers = new Headers()
  setTrailerStatus(trailers, error)
  trailers.delete('grpc-status')
  trailers.delete('grpc-message')
  // oxlint-disable-next-line typescript/no-unsafe-enum-assignment -- both enums are gRPC's own status numbers
  return { code: error.code as number, details: error.rawMessage, metadata: toMetadata(trailers) }
}
