import { lookup } from 'node:dns/promises'
import type { Socket } from 'node:net'
import type { Client } from '@connectrpc/connect'
import { type FastifyInstance, fastify } from 'fastify'
import type { Registry } from 'prom-client'
import type { DarajaCallbackService } from '../gen/mpesa/gateway/v1/daraja_callbacks_pb.js'
import type { PaymentService } from '../gen/mpesa/gateway/v1/payments_pb.js'
import {
  CONNECTION_LIMITS,
  type ConnectionLimits,
  type CutReason,
  guardConnections,
  serverTimes,
} from '../runtime/connection-guard.ts'
import { createDropReporter } from '../runtime/drop-reporter.ts'
import { createFramingJudge } from '../runtime/framing.ts'
import type { Log } from '../runtime/log.ts'
import { type AddressList, includesAddress } from '../values/address-list.ts'
import { answerErrors, sendError } from './answer-errors.ts'
import { createBlockedAddresses } from './blocked-addresses.ts'
import { registerPostStkCallback } from './callback/post-stk-callback.ts'
import { registerGetDocs } from './docs/get-docs.ts'
import { MAX_BODY_BYTES, MAX_HEADERS, MAX_URL_CHARACTERS, MESSAGES, Refusal } from './errors.ts'
import { registerGetHealth } from './get-health.ts'
import { answerMalformedHttp, refuseTunnels, refuseUnread } from './malformed-http.ts'
import { registerPartnerApi } from './partner-api.ts'
import { createRequestIds, type RequestIds } from './request-id.ts'

/** For how long `close` lets requests finish before it cuts their connections, ms. */
const CLOSE_GRACE_MS = 20_000

/** What the facade works with: clients of the core, wherever that is. */
export type FacadeOptions = {
  payments: Client<typeof PaymentService>
  darajaCallbacks: Client<typeof DarajaCallbackService>
  log: Log
  randomBytes: (count: number) => Buffer
  /** Whose `X-Forwarded-For` is believed; nobody's when left out. */
  trustedProxies?: AddressList
  /** How many connections are kept open, and how slow they may be. */
  limits?: ConnectionLimits
  /** From how many wrong keys in a minute on an address is made to wait; none is when left out. */
  wrongKeysPerMinute?: number
  /** Where cut connections are counted. */
  registry?: Registry
}

export type Facade = {
  /** Where it listens, without a slash at the end. */
  readonly url: string
  /** Takes no more connections, finishes what is under way, and resolves when nothing is left. */
  close(): Promise<void>
}

/** Starts the facade on `host` and `port`; 0 takes a free port. Rejects when it cannot listen there. */
export const startFacade = async (
  options: FacadeOptions & { host: string; port: number },
): Promise<Facade> => {
  const server = createFacade(options)
  // For the name `localhost` Fastify would open a second server, without what this one does for malformed HTTP.
  const { address } = await lookup(options.host)
  const url = await server.listen({ host: address, port: options.port })
  const close = async (): Promise<void> => {
    const impatience = setTimeout(() => server.server.closeAllConnections(), CLOSE_GRACE_MS)
    await server.close().finally(() => clearTimeout(impatience))
  }
  return { url, close }
}

/**
 * The REST door: the partners' contract to the byte, Daraja's callbacks, and pages about both. It maps between HTTP and the
 * core's services and knows nothing else: what is valid, who may do what and what is stored is the core's to say. Every
 * answer has an `X-Request-Id`, and every error the two fields of the guide's.
 */
export const createFacade = (options: FacadeOptions): FastifyInstance => {
  const { log, limits = CONNECTION_LIMITS, trustedProxies = [] } = options
  const nowMs = (): number => performance.now()
  const onCut = createDropReporter({ ...options, door: 'rest', nowMs })
  const requestIdOf = createRequestIds(options.randomBytes)
  const server = createServer({ log, limits, requestIdOf, onCut })
  const isProxy = (address: string): boolean => includesAddress(trustedProxies, address)
  const perMinute = options.wrongKeysPerMinute
  const blockedAddresses = perMinute === undefined ? undefined : createBlockedAddresses({ perMinute, nowMs })
  const waitOf = (address: string): number => blockedAddresses?.waitSeconds(address) ?? 0
  const blocked = {
    isBlocked: (address: string) => waitOf(address) > 0,
    refuse: (socket: Socket) =>
      refuseUnread(socket, Math.max(1, waitOf(socket.remoteAddress ?? '')), requestIdOf()),
  }
  const makeRoom = (): void => server.server.closeIdleConnections()
  guardConnections(server.server, { limits, makeRoom, isProxy, blocked, nowMs, onCut })
  refuseFaultyFraming(server)
  refuseExcess(server)
  finishAnswers(server)
  answerErrors(server, options)
  registerGetHealth(server)
  registerGetDocs(server)
  server.register((scope, _options, done) => {
    registerPartnerApi(scope, { ...options, ...(blockedAddresses && { blockedAddresses }) })
    done()
  })
  server.register((scope, _options, done) => {
    registerPostStkCallback(scope, options)
    done()
  })
  return server
}

/** A server without routes. */
const createServer = (options: {
  log: Log
  limits: ConnectionLimits
  requestIdOf: RequestIds
  onCut: (reason: CutReason) => void
}): FastifyInstance => {
  const { log, limits, requestIdOf } = options
  const server = fastify({
    bodyLimit: MAX_BODY_BYTES,
    requestTimeout: limits.requestTimeoutMs,
    keepAliveTimeout: limits.keepAliveMs,
    // As long as all headers may be: no id and no token is too long for its own route to judge it.
    routerOptions: { maxParamLength: 16 * 1024 },
    // Node's own answer to a missing Host has neither a body nor a request id.
    http: { ...serverTimes(limits), requireHostHeader: false },
    // What still comes in while the server closes is served as ever, and its connection ends with the answer.
    return503OnClosing: false,
    genReqId: requestIdOf,
    clientErrorHandler: (error, socket) => {
      const requestId = requestIdOf()
      log.debug({ event: 'malformed_http', request_id: requestId, code: error.code })
      if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT') options.onCut('sender')
      answerMalformedHttp(error, socket, requestId)
    },
    frameworkErrors: (_error, request, reply) => {
      reply.header('x-request-id', request.id)
      sendError(reply, new Refusal(400, MESSAGES.malformedPath))
    },
  })
  // Node would answer an expectation that it does not know with an empty 417. RFC 9110 lets a server ignore it.
  server.server.on('checkExpectation', (request, response) =>
    server.server.emit('request', request, response),
  )
  refuseTunnels(server.server, requestIdOf)
  // Bodies are for the routes that ask for them: what goes to no route is not read before it is refused.
  server.removeAllContentTypeParsers()
  return server
}

/** Refuses what another reader could take for another request, and whatever was sent behind it. */
const refuseFaultyFraming = (server: FastifyInstance): void => {
  const judge = createFramingJudge()
  server.addHook('onRequest', (request, _reply, done) => {
    const verdict = judge(request.raw)
    if (verdict.kind === 'sound') done()
    else if (verdict.kind === 'refused') done(new Refusal(400, verdict.message, { connection: 'close' }))
  })
}

/** Refuses what fits into the headers and is still too much of one kind. */
const refuseExcess = (server: FastifyInstance): void => {
  server.addHook('onRequest', (request, _reply, done) => {
    if (request.url.length > MAX_URL_CHARACTERS) done(new Refusal(414, MESSAGES.urlTooLong))
    else if (request.raw.rawHeaders.length > 2 * MAX_HEADERS) done(new Refusal(431, MESSAGES.tooManyHeaders))
    else done()
  })
}

/** What every request must have, and every answer gets. */
const finishAnswers = (server: FastifyInstance): void => {
  let closing = false
  server.addHook('preClose', (done) => {
    closing = true
    done()
  })
  server.addHook('onRequest', (request, _reply, done) => {
    if (request.headers.host === undefined && request.raw.httpVersion === '1.1')
      done(new Refusal(400, MESSAGES.hostMissing))
    else done()
  })
  server.addHook('onSend', (request, reply, payload, done) => {
    reply.header('x-request-id', request.id)
    // What is answered is for its caller alone, and is what its content type says.
    reply.header('cache-control', 'no-store')
    reply.header('x-content-type-options', 'nosniff')
    // A connection that stayed open would hold up the end of the process until its keep-alive ran out.
    if (closing) reply.header('connection', 'close')
    done(null, payload)
  })
}
