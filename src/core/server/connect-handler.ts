import type { RequestListener } from 'node:http'
import { createConnectRouter, createContextValues } from '@connectrpc/connect'
import {
  compressionBrotli,
  compressionGzip,
  universalRequestFromNodeRequest,
  universalResponseToNodeResponse,
} from '@connectrpc/connect-node'
import { clientAddress } from '../../runtime/call-context.ts'
import { toPlainAddress } from '../../values/address-list.ts'
import { routesOf, type Services } from './services.ts'
import { toInvalidArgument } from './undecodable.ts'

/** The largest request that is read, bytes. */
const MAX_MESSAGE_BYTES = 256 * 1024

/**
 * Serves the services over Connect and gRPC-Web. In place of `connectNodeAdapter`: that throws where there is no Host
 * line, which would end the process, and reports bytes that are no message as a defect of ours.
 */
export const createConnectHandler = (options: {
  services: Services
  shutdownSignal: AbortSignal
}): RequestListener => {
  const router = createConnectRouter({
    shutdownSignal: options.shutdownSignal,
    readMaxBytes: MAX_MESSAGE_BYTES,
    acceptCompression: [compressionGzip, compressionBrotli],
  })
  routesOf(options.services)(router)
  const handlers = new Map(router.handlers.map((handler) => [handler.requestPath, handler]))
  return (request, response) => {
    const handler = handlers.get(request.url?.split('?', 1)[0] ?? '')
    if (handler === undefined) {
      response.writeHead(404).end()
      return
    }
    request.headers.host ||= 'localhost'
    const address = toPlainAddress(request.socket.remoteAddress ?? '') ?? ''
    const values = createContextValues().set(clientAddress, address)
    handler(universalRequestFromNodeRequest(request, response, undefined, values))
      .then(toInvalidArgument)
      .then((answer) => universalResponseToNodeResponse(answer, response))
      // The caller is gone, or its connection broke in the middle of the answer.
      .catch(() => response.destroy())
  }
}
