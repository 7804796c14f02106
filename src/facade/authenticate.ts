import { type CallOptions, createContextValues } from '@connectrpc/connect'
import type { FastifyRequest, onRequestHookHandler } from 'fastify'
import { clientAddress, UNREADABLE_FIELDS } from '../runtime/call-context.ts'
import { MESSAGES, Refusal } from './errors.ts'

/**
 * Refuses a request without `X-API-KEY` before its body is read. Whether the key is a good one is for the core to say:
 * it keeps the keys.
 */
export const requireApiKey: onRequestHookHandler = (request, _reply, done) => {
  if (apiKeyOf(request)) done()
  else done(new Refusal(401, MESSAGES.keyMissing))
}

/**
 * What goes along with every call to the core: who asks, from where, and by which id the call is found in the logs; and
 * the core's names of `unreadable` fields, whose values no message can hold. The core refuses those, each where it is
 * validated, so that the order of the checks and their messages exist once.
 */
export const callOptions = (request: FastifyRequest, unreadable: readonly string[] = []): CallOptions => ({
  headers: {
    'x-api-key': apiKeyOf(request) ?? '',
    'x-request-id': request.id,
    ...(unreadable.length > 0 && { [UNREADABLE_FIELDS]: unreadable.join(',') }),
  },
  contextValues: createContextValues().set(clientAddress, request.clientAddress),
})

/** A repeated header is joined by a comma, which no key contains: the core knows no such key. */
const apiKeyOf = (request: FastifyRequest): string | undefined => {
  const given = request.headers['x-api-key']
  return typeof given === 'string' ? given : undefined
}
