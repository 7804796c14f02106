import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Place } from '../runtime/tracing/places.ts'
import type { Spans } from '../runtime/tracing/tracing.ts'
import { parsePlace } from '../values/traceparent.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** Where its span stands; null: none is made of it here. */
    place: Place | null
  }
}

export const decoratePlace = (server: FastifyInstance): void => {
  server.decorateRequest('place', null)
}

/**
 * Has each request of `scope` be a span, in the trace of its caller where it named one. A facade apart from its core
 * makes them; where the core is in the same process, that one does.
 */
export const traceRequests = (scope: FastifyInstance, spans: Spans): void => {
  const ends = new WeakMap<FastifyRequest, ReturnType<Spans['begin']>>()
  scope.addHook('onRequest', (request, _reply, done) => {
    request.place = spans.newPlace(parsePlace(request.headers['traceparent'])?.traceId)
    ends.set(request, spans.begin())
    done()
  })
  scope.addHook('onResponse', (request, { statusCode }, done) => {
    const { method, place } = request
    const route = (request.routeOptions.url ?? '').replaceAll(/:(\w+)/g, '{$1}')
    if (place !== null)
      ends.get(request)?.({
        name: `${method} ${route}`,
        kind: 'server',
        place,
        parent: parsePlace(request.headers['traceparent']),
        attributes: {
          'http.request.method': method,
          'http.route': route,
          'http.response.status_code': statusCode,
        },
        // What a server refuses for its caller's fault is no error of the server's, by the conventions.
        error: statusCode >= 500 ? `${statusCode}` : undefined,
      })
    done()
  })
}
