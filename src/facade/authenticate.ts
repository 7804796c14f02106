import { type CallOptions, createContextValues } from '@connectrpc/connect'
import type { FastifyRequest, onRequestHookHandler } from 'fastify'
import { clientAddress, UNREADABLE_FIELDS } from '../runtime/call-context.ts'
import type { NoteRefused, RefusedCaller } from '../runtime/refused-callers.ts'
import { renderTraceparent } from '../values/traceparent.ts'
import { MESSAGES, Refusal } from './errors.ts'

/**
 * Refuses a request without `X-API-KEY` before its body is read. Whether the key is a good one is for the core to say:
 * it keeps the keys.
 */
export const requireApiKey =
  (noteRefused: NoteRefused | undefined): onRequestHookHandler =>
  (request, _reply, done) => {
    if (apiKeyOf(request)) {
      done()
      return
    }
    noteRefused?.(refusedCaller(request, 'CREDENTIALS_MISSING'))
    done(new Refusal(401, MESSAGES.keyMissing))
  }

/** A caller that is refused here, before the core sees it. */
export const refusedCaller = (request: FastifyRequest, reason: RefusedCaller['reason']): RefusedCaller => ({
  reason,
  method: `${request.method} ${request.routeOptions.url ?? ''}`,
  from: request.clientAddress,
  requestId: request.id,
})

/**
 * What goes along with every call to the core: who asks, from where, and by which id the call is found in the logs; and
 * the core's names of `unreadable` fields, whose values no message can hold. The core refuses those, each where it is
 * validated, so that the order of the checks and their messages exist once.
 */
export const callOptions = (request: FastifyRequest, unreadable: readonly string[] = []): CallOptions => ({
  headers: {
    'x-api-key': apiKeyOf(request) ?? '',
    'x-request-id': request.id,
    ...traceOf(request),
    ...(unreadable.length > 0 && { [UNREADABLE_FIELDS]: unreadable.join(',') }),
  },
  contextValues: createContextValues().set(clientAddress, request.clientAddress),
})

/**
 * The trace as it goes on in the core: under the span that is made here, else as it came, for so does whoever takes no
 * part in a trace (https://www.w3.org/TR/trace-context/#design-overview).
 */
const traceOf = ({ headers, place }: FastifyRequest): Record<string, string> => {
  const { tracestate } = headers
  const traceparent = place === null ? headers['traceparent'] : renderTraceparent(place)
  return {
    ...(typeof traceparent === 'string' && { traceparent }),
    ...(typeof tracestate === 'string' && { tracestate }),
  }
}

/** A repeated header is joined by a comma, which no key contains: the core knows no such key. */
const apiKeyOf = (request: FastifyRequest): string | undefined => {
  const given = request.headers['x-api-key']
  return typeof given === 'string' ? given : undefined
}
