import type { FastifyInstance } from 'fastify'
import type { Clock } from '../runtime/clock.ts'
import { createBoundedMap } from './bounded-map.ts'
import {
  type DarajaError,
  errorBody,
  INVALID_ACCESS_TOKEN,
  INVALID_AUTHENTICATION,
  INVALID_AUTHENTICATION_HEADER,
  INVALID_GRANT_TYPE,
} from './daraja-errors.ts'
import type { Ids } from './ids.ts'

export const OAUTH_PATH = '/oauth/v1/generate'

/** How long a token is good for, in seconds: what Daraja says in every answer. */
const TOKEN_LIFETIME_SECONDS = 3599
/** The newest tokens that are known. Some clients fetch one for every call, so there can be very many. */
const MAX_TOKENS = 10_000

/** The access tokens that were issued and have not run out. */
export type Tokens = {
  issue(): string
  /** Judges an `Authorization` header: null when it carries a live token, else the refusal. */
  refusalFor(authorization: string | undefined): DarajaError | null
}

export const createTokens = (options: { clock: Clock; ids: Ids }): Tokens => {
  const expiries = createBoundedMap<string, number>(MAX_TOKENS)
  const nowMs = (): number => options.clock().getTime()

  const issue = (): string => {
    const token = options.ids.accessToken()
    expiries.add(token, nowMs() + TOKEN_LIFETIME_SECONDS * 1000)
    return token
  }

  const refusalFor = (authorization: string | undefined): DarajaError | null => {
    const token = /^Bearer +(\S+)$/i.exec(authorization ?? '')?.[1]
    if (token === undefined) return INVALID_AUTHENTICATION_HEADER
    const expiresAtMs = expiries.get(token)
    return expiresAtMs !== undefined && expiresAtMs > nowMs() ? null : INVALID_ACCESS_TOKEN
  }

  return { issue, refusalFor }
}

/** Whether a header is Basic and names a consumer key and a secret. Any two are good: the simulator knows no accounts. */
const hasCredentials = (authorization: string | undefined): boolean => {
  const encoded = /^Basic +(\S+)$/i.exec(authorization ?? '')?.[1] ?? ''
  return /^[^:]+:.+$/s.test(Buffer.from(encoded, 'base64').toString())
}

/** `GET /oauth/v1/generate?grant_type=client_credentials` with HTTP Basic: a token, good for 3599 s. */
export const registerOAuth = (server: FastifyInstance, options: { tokens: Tokens; ids: Ids }): void => {
  server.get<{ Querystring: { grant_type?: string } }>(OAUTH_PATH, (request, reply) => {
    const refuse = (error: DarajaError): unknown =>
      reply.code(error.status).send(errorBody(error, options.ids.requestId()))
    if (!hasCredentials(request.headers.authorization)) return refuse(INVALID_AUTHENTICATION)
    if (request.query.grant_type !== 'client_credentials') return refuse(INVALID_GRANT_TYPE)
    return reply.send({ access_token: options.tokens.issue(), expires_in: String(TOKEN_LIFETIME_SECONDS) })
  })
}
