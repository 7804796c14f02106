import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Log } from '../runtime/log.ts'
import { collectAllowedMethods } from './allowed-methods.ts'
import { type ErrorAnswer, MESSAGES, Refusal, renderError, toErrorAnswer } from './errors.ts'
import { JSON_TYPE } from './json-type.ts'

/**
 * Gives every error of `server` its answer: what routes and hooks throw, and paths and methods that no route takes. Call
 * it before the routes are registered. What is our fault goes to the log with its cause; the partner's to its debug lines.
 */
export const answerErrors = (server: FastifyInstance, { log }: { log: Log }): void => {
  const allowedMethods = collectAllowedMethods(server)
  server.setErrorHandler((error, request, reply) => {
    const answer = toErrorAnswer(error, {
      requestId: request.id,
      maxBodyBytes: request.routeOptions.bodyLimit,
    })
    logError({ log, request, answer, error })
    // Fastify would end the connection of a body that is too large, and the partner might not read the answer. Node throws
    // the rest of the body away instead, for as long as a request may take to arrive.
    if (reply.hasHeader('connection')) reply.removeHeader('connection')
    return sendError(reply, answer)
  })
  server.addHook('onRequest', (request, _reply, done) => {
    if (request.is404) done(refuseRoute(allowedMethods(request.url.split('?', 1)[0] ?? '')))
    else done()
  })
}

/** Refused before its body is looked at, and before anything else is. */
const refuseRoute = (allow: string | undefined): Refusal =>
  allow === undefined
    ? new Refusal(404, MESSAGES.noSuchPath)
    : new Refusal(405, `this path answers to ${allow} only`, { allow })

/** Sends an error in the guide's two fields. */
export const sendError = (reply: FastifyReply, answer: ErrorAnswer): FastifyReply =>
  reply
    .code(answer.status)
    .headers({ ...answer.headers, 'content-type': JSON_TYPE })
    .send(renderError(answer.message))

/** The route's pattern, never its URL: that of a callback holds its token. */
const logError = (options: {
  log: Log
  request: FastifyRequest
  answer: ErrorAnswer
  error: unknown
}): void => {
  const { log, request, answer, error } = options
  const line = {
    request_id: request.id,
    method: request.method,
    route: request.routeOptions.url,
    status: answer.status,
  }
  if (answer.status === 503) log.warn({ event: 'request_unavailable', ...line, cause: causeOf(error) })
  else if (answer.status >= 500) log.error({ event: 'request_failed', ...line, err: error })
  else log.debug({ event: 'request_refused', ...line, message: answer.message })
}

/** What made the core unavailable, in one line: during an outage there is one for every request. */
const causeOf = (error: unknown): string | undefined =>
  error instanceof Error && error.cause instanceof Error ? error.cause.message : undefined
