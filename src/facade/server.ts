import { lookup } from 'node:dns/promises'
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { Client } from '@connectrpc/connect'
import { type FastifyInstance, fastify } from 'fastify'
import type { Registry } from 'prom-client'
import type { DarajaCallbackService } from '../gen/mpesa/gateway/v1/daraja_callbacks_pb.js'
import type { PaymentService } from '../gen/mpesa/gateway/v1/payments_pb.js'
import type { StatusService } from '../gen/mpesa/gateway/v1/status_pb.js'
import {
  CONNECTION_LIMITS,
  type ConnectionLimits,
  type CutReason,
  guardConnections,
  serverTimes,
} from '../runtime/connection-guard.ts'
import type { WrongSecrets } from '../runtime/count-wrong-secrets.ts'
import { createDropReporter } from '../runtime/drop-reporter.ts'
import { createFramingJudge } from '../runtime/framing.ts'
import { closeWithin } from '../runtime/listen.ts'
import type { Log } from '../runtime/log.ts'
import type { NoteRefused } from '../runtime/refused-callers.ts'
import type { Spans } from '../runtime/tracing/tracing.ts'
import { type AddressList, includesAddress } from '../values/address-list.ts'
import { parseRequestId } from '../values/request-id.ts'
import { answerErrors } from './answer-errors.ts'
import { createBlockedAddresses } from './blocked-addresses.ts'
import { registerPostStkCallback } from './callback/post-stk-callback.ts'
import { decorateClientAddress } from './client-address.ts'
import { registerDocs } from './docs/register-docs.ts'
import { JSON_TYPE, MAX_BODY_BYTES } from './errors.ts'
import { registerGetStatus } from './get-status.ts'
import { answerMalformedHttp, refuseTunnels, refuseUnread } from './malformed-http.ts'
import { registerPartnerApi } from './partner-api.ts'
import { addRequestRules, answerMalformedPath, type JudgeFraming } from './request-rules.ts'
import { decoratePlace } from './trace-requests.ts'

/** For how long `close` lets requests finish before it cuts their connections, ms. */
const CLOSE_GRACE_MS = 20_000

/** What the facade works with: clients of the core, wherever that is. */
export type FacadeOptions = {
  payments: Client<typeof PaymentService>
  darajaCallbacks: Client<typeof DarajaCallbackService>
  status: Client<typeof StatusService>
  log: Log
  randomBytes: (count: number) => Buffer
  /** Where the gateway is reached from outside: for the OpenAPI document. */
  publicUrl: string
  /** The pause before each attempt to deliver an outcome, ms: for the OpenAPI document. */
  deliveryScheduleMs: readonly number[]
  /** Whose `X-Forwarded-For` is believed; nobody's when left out. */
  trustedProxies?: AddressList
  /** How many connections are kept open, and how slow they may be. */
  limits?: ConnectionLimits
  /** What the core counts wrong keys in: whoever it makes wait is refused unread. Nobody is when left out. */
  wrongSecrets?: WrongSecrets
  /** Counts callers that are refused before the core sees them; left out: nowhere. */
  noteRefused?: NoteRefused
  /** Where cut connections are counted. */
  registry?: Registry
  /** Makes the spans of partners' requests; left out: the core does, or nobody. */
  spans?: Spans | undefined
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
  const close = (): Promise<void> =>
    closeWithin(
      CLOSE_GRACE_MS,
      () => server.close(),
      () => server.server.closeAllConnections(),
    )
  return { url, close }
}

/**
 * The REST server: the partners' contract to the byte, Daraja's callbacks, and pages about both. It maps between HTTP
 * and the core's services and knows nothing else: what is valid, who may do what and what is stored is the core's to
 * say. Every answer has an `X-Request-Id`, and every error the two fields of the guide's.
 */
export const createFacade = (options: FacadeOptions): FastifyInstance => {
  const { log, limits = CONNECTION_LIMITS, trustedProxies = [], registry } = options
  const nowMs = (): number => performance.now()
  const onCut = createDropReporter({ door: 'rest', log, registry, nowMs })
  const requestIdOf = createRequestIds(options.randomBytes)
  const judgeFraming = createFramingJudge()
  const server = createServer({ log, limits, requestIdOf, onCut, judgeFraming })
  const isProxy = (address: string): boolean => includesAddress(trustedProxies, address)
  const { wrongSecrets } = options
  const blockedAddresses = wrongSecrets && createBlockedAddresses({ wrongSecrets, isProxy, nowMs })
  const waitOf = (address: string): number => blockedAddresses?.waitSeconds(address) ?? 0
  const blocked = {
    isBlocked: (address: string) => waitOf(address) > 0,
    refuse: (socket: Socket) =>
      refuseUnread(socket, Math.max(1, waitOf(socket.remoteAddress ?? '')), requestIdOf()),
  }
  const makeRoom = (): void => server.server.closeIdleConnections()
  guardConnections(server.server, { limits, makeRoom, isProxy, blocked, nowMs, onCut })
  decorateClientAddress(server, trustedProxies)
  decoratePlace(server)
  addRequestRules(server, judgeFraming)
  answerErrors(server, log)
  registerHealth(server)
  registerDocs(server, options)
  server.register((scope, _options, done) => {
    const { payments, noteRefused, spans } = options
    registerPartnerApi(scope, { payments, blockedAddresses, noteRefused, spans })
    done()
  })
  server.register((scope, _options, done) => {
    registerGetStatus(scope, options.status)
    done()
  })
  server.register((scope, _options, done) => {
    registerPostStkCallback(scope, options.darajaCallbacks)
    done()
  })
  return server
}

/** `GET /healthz`: this process is alive and answers. Whether it can take a payment, the operations port says. */
const registerHealth = (server: FastifyInstance): void => {
  server.get('/healthz', (_request, reply) => {
    reply.header('content-type', JSON_TYPE).send('{"status":"ok"}')
  })
}

/** Returns the id of a request, or makes a new one when there is no request to ask (HTTP that could not be parsed). */
type RequestIds = (request?: IncomingMessage) => string

/**
 * The caller's `X-Request-Id` if it is sane, else a fresh one: 96 random bits that are this process's own, and a count.
 * One random draw for the process instead of one a request: the id must be unique, not secret.
 */
const createRequestIds = (randomBytes: (count: number) => Buffer): RequestIds => {
  const prefix = randomBytes(12).toString('hex')
  let count = 0
  return (request) => {
    const given = parseRequestId(request?.headers['x-request-id'])
    if (given !== undefined) return given
    count += 1
    return `${prefix}-${count.toString(36)}`
  }
}

/** A server without routes. */
const createServer = (options: {
  log: Log
  limits: ConnectionLimits
  requestIdOf: RequestIds
  onCut: (reason: CutReason) => void
  judgeFraming: JudgeFraming
}): FastifyInstance => {
  const { log, limits, requestIdOf, judgeFraming } = options
  // Node's own answer to a missing Host has neither a body nor a request id.
  const http = { ...serverTimes(limits), requireHostHeader: false }
  const server = fastify({
    bodyLimit: MAX_BODY_BYTES,
    requestTimeout: limits.requestTimeoutMs,
    keepAliveTimeout: limits.keepAliveMs,
    // As long as all headers may be: no id and no token is too long for its own route to judge it.
    routerOptions: { maxParamLength: 16 * 1024 },
    http,
    // What still comes in while the server closes is served as ever, and its connection ends with the answer.
    return503OnClosing: false,
    genReqId: requestIdOf,
    clientErrorHandler: (error, socket) => {
      const requestId = requestIdOf()
      log.debug({ event: 'malformed_http', request_id: requestId, code: error.code })
      if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT') options.onCut('sender')
      answerMalformedHttp(error, socket, requestId)
    },
    frameworkErrors: answerMalformedPath(judgeFraming),
  })
  // Node would answer an expectation that it does not know with an empty 417. RFC 9110 lets a server ignore it.
  server.server.on('checkExpectation', (request, response) =>
    server.server.emit('request', request, response),
  )
  // Node would end the connection of a client that closed its side after its request, and never send the answer.
  Object.assign(server.server, { httpAllowHalfOpen: true })
  refuseTunnels(server.server, requestIdOf)
  // Bodies are for the routes that ask for them: what goes to no route is not read before it is refused.
  server.removeAllContentTypeParsers()
  return server
}
