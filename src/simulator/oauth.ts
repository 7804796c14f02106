import type { FastifyInstance } from 'fastify'
import type { Choose } from './choose.ts'
import { type DarajaError, errorBody, INVALID_AUTHENTICATION, INVALID_GRANT_TYPE } from './daraja-errors.ts'
import type { Ids } from './ids.ts'
import type { Wait } from './timers.ts'
import { TOKEN_LIFETIME_SECONDS, type Tokens } from './tokens.ts'
import { answer } from './wrong-reply.ts'

export const OAUTH_PATH = '/oauth/v1/generate'

/**
 * The consumer key of a Basic header that names a key and a secret, else null. Any two are good: the simulator knows no
 * accounts.
 */
const consumerKeyOf = (authorization: string | undefined): string | null => {
  const encoded = /^Basic +(\S+)$/i.exec(authorization ?? '')?.[1] ?? ''
  return /^([^:]+):.+$/s.exec(Buffer.from(encoded, 'base64').toString())?.[1] ?? null
}

/** `GET /oauth/v1/generate?grant_type=client_credentials` with HTTP Basic: a token, good for 3599 s. */
export const registerOAuth = (
  server: FastifyInstance,
  options: { tokens: Tokens; choose: Choose; ids: Ids; wait: Wait },
): void => {
  const { tokens, choose, ids, wait } = options
  server.get<{ Querystring: { grant_type?: string } }>(OAUTH_PATH, (request, reply) => {
    const requestId = ids.requestId()
    const refuse = (error: DarajaError): unknown => reply.code(error.status).send(errorBody(error, requestId))
    const consumerKey = consumerKeyOf(request.headers.authorization)
    if (consumerKey === null) return refuse(INVALID_AUTHENTICATION)
    if (request.query.grant_type !== 'client_credentials') return refuse(INVALID_GRANT_TYPE)
    const { behaviour } = choose.token(consumerKey)
    const { tokenFault: wrong, expiresIn, endsEarlierTokens: endsEarlier } = behaviour
    const right = {
      access_token: tokens.issue(consumerKey, { endsEarlier }),
      expires_in: expiresIn === 'number' ? TOKEN_LIFETIME_SECONDS : String(TOKEN_LIFETIME_SECONDS),
    }
    return answer({ wrong, right, requestId, wait, request, reply })
  })
}
