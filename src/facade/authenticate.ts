import type { FastifyRequest, onRequestHookHandler } from 'fastify'
import type { AddressList } from '../values/address-list.ts'
import { sourceOf } from './callback/source.ts'
import { MESSAGES, Refusal } from './errors.ts'

/**
 * Refuses a request without `X-API-KEY` before its body is read. Whether the key is a good one is for the core to say: it
 * keeps the keys.
 */
export const requireApiKey: onRequestHookHandler = (request, _reply, done) => {
  if (apiKeyOf(request)) done()
  else done(new Refusal(401, MESSAGES.keyMissing))
}

/**
 * Writes the address that a request really came from over whatever its caller says it is: the core counts wrong keys by it.
 */
export const noteSource =
  (trustedProxies: AddressList): onRequestHookHandler =>
  (request, _reply, done) => {
    request.headers['x-client-address'] = sourceOf({
      connected: request.socket.remoteAddress ?? '',
      forwardedFor: request.headers['x-forwarded-for'],
      trustedProxies,
    })
    done()
  }

/** What goes along with every call to the core: who asks, from where, and by which id the call is found in the logs. */
export const callHeaders = (request: FastifyRequest): Record<string, string> => ({
  'x-api-key': apiKeyOf(request) ?? '',
  'x-client-address': String(request.headers['x-client-address']),
  'x-request-id': request.id,
})

/** Two header lines come joined by a comma, which no key contains: the core knows no such key. */
const apiKeyOf = (request: FastifyRequest): string | undefined => {
  const given = request.headers['x-api-key']
  return typeof given === 'string' ? given : undefined
}
