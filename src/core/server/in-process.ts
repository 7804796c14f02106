import { create, type DescMessage, type DescMethodUnary, type MessageInitShape } from '@bufbuild/protobuf'
import {
  type Client,
  Code,
  ConnectError,
  createClient,
  createContextValues,
  createServiceImplSpec,
  type HandlerContext,
  type ServiceImplSpec,
  type Transport,
} from '@connectrpc/connect'
import { DarajaCallbackService } from '../../gen/mpesa/gateway/v1/daraja_callbacks_pb.js'
import { PaymentService } from '../../gen/mpesa/gateway/v1/payments_pb.js'
import { StatusService } from '../../gen/mpesa/gateway/v1/status_pb.js'
import { inProcessCall } from '../../runtime/call-context.ts'
import type { Services } from './services.ts'

/** What the facade is handed: the same clients that a remote core would be called through. */
export type InProcessClients = {
  payments: Client<typeof PaymentService>
  darajaCallbacks: Client<typeof DarajaCallbackService>
  status: Client<typeof StatusService>
}

/**
 * Clients that call the implementations directly: no serialisation, no socket. A hop through a server costs more than
 * the database does. Requests get their defaults, errors come as ConnectError, as through any other listener.
 */
export const createInProcessClients = (
  services: Pick<Services, 'payments' | 'darajaCallbacks' | 'status'>,
): InProcessClients => ({
  payments: createClient(
    PaymentService,
    directTransport(createServiceImplSpec<typeof PaymentService>(PaymentService, services.payments)),
  ),
  status: createClient(
    StatusService,
    directTransport(createServiceImplSpec<typeof StatusService>(StatusService, services.status)),
  ),
  darajaCallbacks: createClient(
    DarajaCallbackService,
    directTransport(
      createServiceImplSpec<typeof DarajaCallbackService>(DarajaCallbackService, services.darajaCallbacks),
    ),
  ),
})

const directTransport = (spec: ServiceImplSpec): Transport => {
  const neverAborted = new AbortController().signal

  const unary: Transport['unary'] = async (method, signal, timeoutMs, header, input, contextValues) => {
    const context: HandlerContext = {
      method,
      service: method.parent,
      signal: signal ?? neverAborted,
      timeoutMs: () => timeoutMs,
      requestMethod: 'POST',
      requestHeader: header instanceof Headers ? header : new Headers(header),
      responseHeader: new Headers(),
      responseTrailer: new Headers(),
      protocolName: 'in-process',
      values: (contextValues ?? createContextValues()).set(inProcessCall, true),
      url: '',
    }
    const message = await call({ spec, method, input, context })
    return {
      stream: false,
      service: method.parent,
      method,
      header: context.responseHeader,
      trailer: context.responseTrailer,
      message,
    }
  }

  const stream: Transport['stream'] = () =>
    Promise.reject(new ConnectError('no method streams', Code.Unimplemented))

  return { unary, stream }
}

const call = async <Input extends DescMessage, Output extends DescMessage>(options: {
  spec: ServiceImplSpec
  method: DescMethodUnary<Input, Output>
  input: MessageInitShape<Input>
  context: HandlerContext
}) => {
  const { method, context } = options
  const implemented = options.spec.methods[method.localName]
  if (implemented?.kind !== 'unary')
    throw new ConnectError(`${method.name} is not served`, Code.Unimplemented)
  try {
    const answer = await implemented.impl(create(method.input, options.input), context)
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the methods are those of the service
    return create(method.output, answer as MessageInitShape<Output>)
  } catch (error) {
    throw ConnectError.from(error)
  }
}
