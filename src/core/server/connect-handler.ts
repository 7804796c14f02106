import { IncomingMessage } from 'node:http'
import { createConnectRouter, createContextValues } from '@connectrpc/connect'
import {
  compressionBrotli,
  compressionGzip,
  universalRequestFromNodeRequest,
  universalResponseToNodeResponse,
} from '@connectrpc/connect-node'
import { ServerReflection } from '../../gen/grpc/reflection/v1/reflection_pb.js'
import { Health } from '../../gen/health/v1/health_pb.js'
import { clientAddress } from '../../runtime/call-context.ts'
import { toPlainAddress } from '../../values/address-list.ts'
import { explainRefusal, NO_SUCH_METHOD } from './explain-refusal.ts'
import type { Protocols } from './protocols.ts'
import { routesOf, type ServedServices } from './services.ts'

/** A request, and the answer to be written to it, of Node's servers of HTTP/1.1 and HTTP/2. */
export type NodeRequest = Parameters<typeof universalRequestFromNodeRequest>[0]
export type NodeResponse = Parameters<typeof universalResponseToNodeResponse>[1]

/** The largest request that is read, bytes. */
const MAX_MESSAGE_BYTES = 256 * 1024

/**
 * Serves the services over Connect, gRPC-Web and, on HTTP/2, gRPC. In place of `connectNodeAdapter`: that throws where
 * there is no Host line, which would end the process, reports bytes that are no message as a defect of ours, and refuses
 * without a word. A name in JSON that the message does not have is refused: whoever misspells a filter must not take
 * everything for what it asked.
 */
export const createConnectHandler = (options: {
  services: ServedServices
  protocols?: Protocols
  shutdownSignal: AbortSignal
}): ((request: NodeRequest, response: NodeResponse) => void) => {
  const router = createConnectRouter({
    shutdownSignal: options.shutdownSignal,
    readMaxBytes: MAX_MESSAGE_BYTES,
    acceptCompression: [compressionGzip, compressionBrotli],
    jsonOptions: { ignoreUnknownFields: false },
  })
  routesOf(options.services)(router)
  const { health, reflection } = options.protocols ?? {}
  if (health) router.service(Health, health.service)
  if (reflection) router.service(ServerReflection, reflection.service)
  const handlers = new Map(router.handlers.map((handler) => [handler.requestPath, handler]))
  return (request, response) => {
    const handler = handlers.get(request.url?.split('?', 1)[0] ?? '')
    request.headers.host ||= 'localhost'
    if (request instanceof IncomingMessage) keepReadable(request, response)
    const address = toPlainAddress(request.socket.remoteAddress ?? '') ?? ''
    const values = createContextValues().set(clientAddress, address)
    const answered =
      handler === undefined
        ? Promise.resolve(NO_SUCH_METHOD)
        : handler(universalRequestFromNodeRequest(request, response, undefined, values))
    answered
      .then(explainRefusal)
      .then((answer) => universalResponseToNodeResponse(answer, response))
      // The caller is gone, or its connection broke in the middle of the answer.
      .catch(() => response.destroy())
  }
}

/**
 * Over HTTP/1.1 the next call on a connection stands behind what is left of a request that was answered before it had come
 * whole: that is read and thrown away. A reader that gives up would else destroy the request, and nobody could.
 */
const keepReadable = (request: IncomingMessage, response: NodeResponse): void => {
  const read = (): NodeJS.AsyncIterator<Buffer> => request.iterator({ destroyOnReturn: false })
  Object.defineProperty(request, Symbol.asyncIterator, { value: read })
  response.once('finish', () => request.resume())
}
