import { ConnectError } from '@connectrpc/connect'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { ErrorInfoSchema } from '../gen/google/rpc/error_details_pb.js'
import type { Log } from '../runtime/log.ts'
import { parseTraceId } from '../values/traceparent.ts'
import { type ErrorAnswer, JSON_TYPE, MESSAGES, Refusal, renderError, toErrorAnswer } from './errors.ts'

/**
 * Gives every error of `server` its answer: what routes and hooks throw, and paths and methods that no route takes.
 * Call it before the routes are registered. What is our fault goes to the log with its cause; the partner's is logged
 * at debug level.
 */
export const answerErrors = (server: FastifyInstance, log: Log): void => {
  const allowedMethods = collectAllowedMethods(server)
  server.setErrorHandler((error, request, reply) => {
    const answer = toErrorAnswer(error, {
      requestId: request.id,
      maxBodyBytes: request.routeOptions.bodyLimit,
    })
    logError({ log, request, answer, error })
    // Fastify would end the connection of a body that is too large, and the partner might not read the answer. Node
    // throws the rest of the body away instead, for as long as a request may take to arrive.
    if (reply.hasHeader('connection')) reply.removeHeader('connection')
    return sendError(reply, answer)
  })
  server.addHook('onRequest', (request, _reply, done) => {
    if (request.is404) done(refuseRoute(allowedMethods(request.url.split('?', 1)[0] ?? '')))
    else done()
  })
}

/**
 * Learns the routes of `server` as they are registered from now on: a path can be right where its method is wrong.
 * Returns the methods that a path answers to, as the header `Allow` lists them; undefined for a path that answers to
 * none.
 */
const collectAllowedMethods = (server: FastifyInstance): ((path: string) => string | undefined) => {
  const routes = new Map<string, { pattern: RegExp; methods: string[] }>()
  server.addHook('onRoute', ({ url, method }) => {
    const route = routes.get(url) ?? { pattern: toPattern(url), methods: [] }
    routes.set(url, { pattern: route.pattern, methods: route.methods.concat(method) })
  })
  return (path) => [...routes.values()].find(({ pattern }) => pattern.test(path))?.methods.join(', ')
}

/** Our paths hold letters, digits, `/`, `_` and `.` beside their parameters. */
const toPattern = (url: string): RegExp =>
  new RegExp(`^${url.replaceAll('.', '\\.').replaceAll(/:\w+/g, '[^/]*')}$`)

/** Refused before its body is looked at, and before anything else is. */
const refuseRoute = (allow: string | undefined): Refusal =>
  allow === undefined
    ? new Refusal(404, MESSAGES.noSuchPath)
    : new Refusal(405, `this path answers to ${allow} only`, { allow })

/** Sends an error in the guide's two fields. */
export const sendError = (reply: FastifyReply, answer: ErrorAnswer): FastifyReply =>
  reply
    .code(answer.status)
    .headers(answer.headers)
    .header('content-type', JSON_TYPE)
    .send(renderError(answer.message))

/** The route's pattern, never its URL: that of a callback holds its token. */
const logError = (options: {
  log: Log
  request: FastifyRequest
  answer: ErrorAnswer
  error: unknown
}): void => {
  const { log, request, answer, error } = options
  const { status, message } = answer
  const [request_id, method, route] = [request.id, request.method, request.routeOptions.url]
  const trace_id = request.place?.traceId ?? parseTraceId(request.headers['traceparent'])
  if (status === 503 && !isOverload(error)) {
    const cause = causeOf(error)
    log.warn({ event: 'request_unavailable', request_id, trace_id, method, route, status, cause })
  } else if (status === 500) {
    log.error({ event: 'request_failed', request_id, trace_id, method, route, status, err: error })
  } else {
    log.debug({ event: 'request_refused', request_id, trace_id, method, route, status, message })
  }
}

/** The core has a line for the beginning and the end of an overload, not for each request. */
const isOverload = (error: unknown): boolean =>
  error instanceof ConnectError && error.findDetails(ErrorInfoSchema)[0]?.reason === 'OVERLOADED'

/** What made the core unavailable, in one line: during an outage there is one for every request. */
const causeOf = (error: unknown): string | undefined =>
  error instanceof Error && error.cause instanceof Error ? error.cause.message : undefined
