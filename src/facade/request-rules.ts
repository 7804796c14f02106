import type { IncomingMessage } from 'node:http'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { FramingVerdict } from '../runtime/framing.ts'
import { sendError } from './answer-errors.ts'
import { MAX_HEADERS, MAX_URL_CHARACTERS, MESSAGES, Refusal } from './errors.ts'

/** Whether a request can be read in one way only, and what is done about it otherwise. */
export type JudgeFraming = (request: IncomingMessage) => FramingVerdict

/** Adds what holds for every request of `server`, whatever its route, and what every answer has. */
export const addRequestRules = (server: FastifyInstance, judgeFraming: JudgeFraming): void => {
  refuseFaultyFraming(server, judgeFraming)
  refuseExcess(server)
  requireHost(server)
  finishAnswers(server)
}

/** Refuses what another reader could take for another request, and whatever was sent behind it. */
const refuseFaultyFraming = (server: FastifyInstance, judgeFraming: JudgeFraming): void => {
  server.addHook('onRequest', (request, _reply, done) => {
    const verdict = judgeFraming(request.raw)
    if (verdict.kind === 'sound') done()
    else if (verdict.kind === 'refused') done(faultyFraming(verdict))
  })
}

const faultyFraming = ({ status, message }: Extract<FramingVerdict, { kind: 'refused' }>): Refusal =>
  new Refusal(status, message, { connection: 'close' })

/** Answers a path that leads to no hook, for nobody can read it. */
export const answerMalformedPath =
  (judgeFraming: JudgeFraming) =>
  (_error: Error, request: FastifyRequest, reply: FastifyReply): void => {
    const verdict = judgeFraming(request.raw)
    if (verdict.kind === 'ignored') return
    reply.header('x-request-id', request.id)
    sendError(
      reply,
      verdict.kind === 'refused' ? faultyFraming(verdict) : new Refusal(400, MESSAGES.malformedPath),
    )
  }

/** Refuses what fits into the headers and is still too much of one kind. */
const refuseExcess = (server: FastifyInstance): void => {
  server.addHook('onRequest', (request, _reply, done) => {
    if (request.url.length > MAX_URL_CHARACTERS) done(new Refusal(414, MESSAGES.urlTooLong))
    else if (request.raw.rawHeaders.length > 2 * MAX_HEADERS) done(new Refusal(431, MESSAGES.tooManyHeaders))
    else done()
  })
}

const requireHost = (server: FastifyInstance): void => {
  server.addHook('onRequest', (request, _reply, done) => {
    if (request.headers.host === undefined && request.raw.httpVersion === '1.1')
      done(new Refusal(400, MESSAGES.hostMissing))
    else done()
  })
}

/** What every answer gets. */
const finishAnswers = (server: FastifyInstance): void => {
  let closing = false
  server.addHook('preClose', (done) => {
    closing = true
    done()
  })
  server.addHook('onSend', (request, reply, payload, done) => {
    reply.header('x-request-id', request.id)
    // What is answered is for its caller alone, unless its route says otherwise, and is what its content type says.
    if (!reply.hasHeader('cache-control')) reply.header('cache-control', 'no-store')
    reply.header('x-content-type-options', 'nosniff')
    // A connection that stayed open would hold up the end of the process until its keep-alive ran out.
    if (closing) reply.header('connection', 'close')
    done(null, payload)
  })
}
