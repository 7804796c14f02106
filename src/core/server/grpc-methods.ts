import { create, type DescMethod, fromBinary, type Message, toBinary } from '@bufbuild/protobuf'
import { ConnectError, type HandlerContext, type MethodImplSpec } from '@connectrpc/connect'
import { setTrailerStatus } from '@connectrpc/connect/protocol-grpc'
import {
  type handleServerStreamingCall,
  type handleUnaryCall,
  Metadata,
  type MethodDefinition,
  type ServerWritableStream,
  type StatusObject,
} from '@grpc/grpc-js'
import { notDecoded } from './explain-refusal.ts'
import { GrpcContext } from './grpc-context.ts'

type Spec<Kind> = Extract<MethodImplSpec, { kind: Kind }>
type Unary = Spec<'unary'>
type Streaming = Spec<'server_streaming'>

/** A method as `grpc-js` serves it: how its messages are written and read, and what answers it. */
export const toGrpcMethod = (spec: MethodImplSpec) => {
  const { method } = spec
  switch (spec.kind) {
    case 'unary':
      return { name: method.localName, definition: toDefinition(method), handle: answerUnary(spec) }
    case 'server_streaming':
      return { name: method.localName, definition: toDefinition(method), handle: answerStreaming(spec) }
    case 'client_streaming':
    case 'bidi_streaming':
      throw new Error(`${method.name} takes a stream, which this server does not carry`)
    default:
      return spec satisfies never
  }
}

type Asked = Parameters<Unary['impl']>[0] | ConnectError

const toDefinition = (method: DescMethod): MethodDefinition<Asked, Message> => ({
  path: `/${method.parent.typeName}/${method.name}`,
  requestStream: false,
  responseStream: method.methodKind === 'server_streaming',
  // A server neither writes requests nor reads responses.
  requestSerialize: () => Buffer.alloc(0),
  requestDeserialize: (bytes) => decode(method.input, bytes),
  responseSerialize: method.methodKind === 'server_streaming' ? serializeOnce(method) : serialize(method),
  responseDeserialize: (bytes) => fromBinary(method.output, bytes),
})

const serialize =
  ({ output }: DescMethod) =>
  (message: Message): Buffer => {
    const bytes = toBinary(output, message)
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

/** A message that is streamed to many becomes bytes once. */
const serializeOnce = (method: DescMethod): ((message: Message) => Buffer) => {
  const written = new WeakMap<Message, Buffer>()
  const write = serialize(method)
  return (message) => {
    const bytes = written.get(message) ?? write(message)
    written.set(message, bytes)
    return bytes
  }
}

/**
 * The message; bytes that are none are refused as the caller's fault, where `grpc-js` would report a defect of ours.
 */
const decode = (input: DescMethod['input'], bytes: Buffer): Asked => {
  try {
    return fromBinary(input, bytes)
  } catch (error) {
    return notDecoded(error)
  }
}

const answerUnary =
  (spec: Unary): handleUnaryCall<Asked, Message> =>
  (call, answer) => {
    const context = new GrpcContext(spec.method, call)
    void run(spec, call.request, context)
      .then(
        (message) => answer(null, message, toTrailer(context)),
        (error: unknown) => answer(toStatus(ConnectError.from(error))),
      )
      // Ends the timer of the call's deadline, which may be far away.
      .finally(() => context.end())
  }

const run = async (spec: Unary, request: Asked, context: HandlerContext) => {
  if (request instanceof ConnectError) throw request
  return create(spec.method.output, await spec.impl(request, context))
}

const answerStreaming =
  (spec: Streaming): handleServerStreamingCall<Asked, Message> =>
  (call) => {
    const context = new GrpcContext(spec.method, call)
    void stream(spec, call, context)
      .then(
        () => call.end(toTrailer(context)),
        (error: unknown) => call.emit('error', toStatus(ConnectError.from(error))),
      )
      .finally(() => context.end())
  }

/** Writes one message after the other, each once the one before has left: what waits is with who makes them. */
const stream = async (
  spec: Streaming,
  call: ServerWritableStream<Asked, Message>,
  context: HandlerContext,
): Promise<void> => {
  if (call.request instanceof ConnectError) throw call.request
  for await (const message of spec.impl(call.request, context)) {
    await write(call, create(spec.method.output, message), context.signal)
  }
}

/** Rejects once the call has ended: of a message that was not sent by then nobody says so. */
const write = (
  call: ServerWritableStream<Asked, Message>,
  message: Message,
  signal: AbortSignal,
): Promise<void> =>
  new Promise((resolve, reject) => {
    const ended = (): void => reject(ConnectError.from(signal.reason))
    if (signal.aborted) {
      ended()
      return
    }
    signal.addEventListener('abort', ended, { once: true })
    call.write(message, () => {
      signal.removeEventListener('abort', ended)
      resolve()
    })
  })

const toTrailer = (context: GrpcContext): Metadata | undefined => {
  const trailer = context.trailer()
  return trailer === null ? undefined : toMetadata(trailer)
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
