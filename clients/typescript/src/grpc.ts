import type { DescService } from '@bufbuild/protobuf'
import { MethodOptions_IdempotencyLevel } from '@bufbuild/protobuf/wkt'
import {
  type Client,
  ConnectError,
  createClient,
  type Interceptor,
  type UnaryRequest,
} from '@connectrpc/connect'
import { createConnectTransport, createGrpcTransport } from '@connectrpc/connect-node'
import { repeat } from './attempts.ts'
import { mayPass, retryAfterOf } from './unanswered.ts'

export { type ResumeOptions, resumed } from './resumed.ts'

/** Where the gateway's services are, and who calls. */
export type ServiceOptions = {
  /** `http://…` or `https://…`, without a path. */
  baseUrl: string
  /** `grpc` is for either port, `connect` (over HTTP/2) for `CONNECT_PORT` only; `grpc` unless given. */
  protocol?: 'grpc' | 'connect'
  /** A service's token, or a partner's API key. */
  credentials: { token: string; partnerId?: bigint | number } | { apiKey: string }
  /** How often a call is made at most; 5 unless given. */
  attempts?: number
  /** A call that would have to wait longer than this fails with what the gateway said; a minute unless given. */
  maxWaitMs?: number
  /** A connection on which nothing comes for so long, not even when it is asked, is taken for dead; half a minute unless given. */
  silentMs?: number
}

/**
 * A client of one of the services under `@mpesa-gateway/client/v1/…`. A call that only reads, or has an idempotency key, is
 * made again when the gateway is away or asks to wait; every other one is the caller's to repeat. A stream of events goes on by
 * `resumed`.
 */
export const createServiceClient = <Service extends DescService>(
  service: Service,
  options: ServiceOptions,
): Client<Service> => {
  const {
    baseUrl,
    protocol = 'grpc',
    credentials,
    attempts = 5,
    maxWaitMs = 60_000,
    silentMs = 30_000,
  } = options
  const interceptors = [withCredentials(credentials), withRepetition({ attempts, maxWaitMs })]
  // Without pings nobody notices a machine that lost its power: a stream on it would wait for ever.
  const pings = { pingIntervalMs: silentMs / 2, pingTimeoutMs: silentMs / 2 }
  const transport =
    protocol === 'grpc'
      ? createGrpcTransport({ baseUrl, interceptors, ...pings })
      : createConnectTransport({ baseUrl, httpVersion: '2', interceptors, ...pings })
  return createClient(service, transport)
}

const withCredentials =
  (credentials: ServiceOptions['credentials']): Interceptor =>
  (next) =>
  (request) => {
    if ('apiKey' in credentials) request.header.set('x-api-key', credentials.apiKey)
    else {
      request.header.set('authorization', `Bearer ${credentials.token}`)
      if (credentials.partnerId !== undefined)
        request.header.set('x-partner-id', String(credentials.partnerId))
    }
    return next(request)
  }

const withRepetition =
  (bounds: { attempts: number; maxWaitMs: number }): Interceptor =>
  (next) =>
  (request) => {
    if (request.stream || !mayRepeat(request)) return next(request)
    return repeat(
      async () => {
        try {
          return { kind: 'done', result: await next(request) }
        } catch (cause) {
          const error = ConnectError.from(cause)
          if (!mayPass(error, request.signal)) throw error
          return { kind: 'again', afterSeconds: retryAfterOf(error), error }
        }
      },
      { attempts: bounds.attempts, maxWaitMs: bounds.maxWaitMs, signal: request.signal },
    )
  }

const mayRepeat = ({ method, message }: UnaryRequest): boolean =>
  method.idempotency === MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS ||
  ('idempotencyKey' in message && typeof message.idempotencyKey === 'string')
