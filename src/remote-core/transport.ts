import {
  create,
  type DescMessage,
  type DescMethodUnary,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf'
import { Code, ConnectError, type ContextValues, type Transport } from '@connectrpc/connect'
import { findTrailerError } from '@connectrpc/connect/protocol-grpc'
import { type Client, Metadata, type ServiceError } from '@grpc/grpc-js'
import { CLIENT_ADDRESS, clientAddress, FACADE_TOKEN } from '../runtime/call-context.ts'
import { explainWay } from './explain-way.ts'

/**
 * How Connect's clients call a core over native gRPC. `grpc-js` carries the calls, as it does at the core: it shares
 * few connections among all calls, connects again with growing pauses, and repeats by itself only what no core has seen.
 * Every call has the token that proves the facade, the address of its caller, and a deadline.
 */
export const createCoreTransport = (options: {
  pick: () => Client
  token: string
  timeoutMs: number
}): Transport => ({
  unary: async (method, signal, timeoutMs, header, input, contextValues) => {
    const metadata = toMetadata(new Headers(header), contextValues)
    metadata.set(FACADE_TOKEN, options.token)
    const message = await call({
      client: options.pick(),
      method,
      input,
      metadata,
      deadline: Date.now() + (timeoutMs ?? options.timeoutMs),
      signal,
    })
    const nothing = { header: new Headers(), trailer: new Headers() }
    return { stream: false, service: method.parent, method, message, ...nothing }
  },
  stream: () => Promise.reject(new ConnectError('no method streams', Code.Unimplemented)),
})

const call = <Input extends DescMessage, Output extends DescMessage>(options: {
  client: Client
  method: DescMethodUnary<Input, Output>
  input: MessageInitShape<Input>
  metadata: Metadata
  deadline: number
  signal: AbortSignal | undefined
}): Promise<MessageShape<Output>> => {
  const { client, method, metadata, deadline, signal } = options
  return new Promise((resolve, reject) => {
    const under = client.makeUnaryRequest<MessageShape<Input>, MessageShape<Output>>(
      `/${method.parent.typeName}/${method.name}`,
      (message) => Buffer.from(toBinary(method.input, message)),
      (bytes) => fromBinary(method.output, bytes),
      create(method.input, options.input),
      metadata,
      { deadline },
      (error, answer) => {
        signal?.removeEventListener('abort', cancel)
        if (answer !== undefined) resolve(answer)
        else reject(explainWay(toConnectError(error)))
      },
    )
    const cancel = (): void => under.cancel()
    signal?.addEventListener('abort', cancel, { once: true })
  })
}

const toMetadata = (header: Headers, contextValues: ContextValues | undefined): Metadata => {
  const metadata = new Metadata()
  header.forEach((value, name) => metadata.set(name, toPrintable(value)))
  const address = contextValues?.get(clientAddress) ?? ''
  if (address !== '') metadata.set(CLIENT_ADDRESS, address)
  return metadata
}

/** Metadata holds printable ASCII only. No key and no id of ours has anything else, so the core knows none like it. */
const toPrintable = (value: string): string =>
  /^[\x20-\x7e]*$/.test(value) ? value : encodeURIComponent(value)

/** The error as the core threw it: with its code, its details and its metadata. */
const toConnectError = (error: ServiceError | null): ConnectError => {
  if (error === null) return new ConnectError('neither an answer nor an error', Code.Internal)
  const trailers = new Headers()
  for (const [name, value] of Object.entries(error.metadata.getMap()))
    trailers.set(name, typeof value === 'string' ? value : value.toString('base64'))
  trailers.set('grpc-status', String(error.code))
  trailers.set('grpc-message', encodeURIComponent(error.details))
  return findTrailerError(trailers) ?? new ConnectError(error.details, Code.Internal)
}
