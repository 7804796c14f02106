import { LRUCache } from 'lru-cache'
import { asOne } from '../runtime/as-one.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Route } from './calls.ts'
import type { Choose } from './choose.ts'
import type { Ids } from './ids.ts'
import * as wrong from './wrong-reply.ts'

/** How long a token is good for, in seconds: what Daraja says in every answer. */
const TOKEN_LIFETIME_SECONDS = 3599
/** The newest tokens that are known. Some clients fetch one for every call, so there can be very many. */
const MAX_TOKENS = 10_000

/** The access tokens that were issued and have not run out. */
export type Tokens = {
  /** A new token of a consumer key, which may end the ones that the key had before. */
  issue(consumerKey: string, options: { endsEarlier: boolean }): string
  /** Whose live token an `Authorization` header carries; throws `Refused` when it carries none. */
  consumerKeyOf(authorization: string | undefined): string
}

export const createTokens = (options: { clock: Clock; ids: Ids }): Tokens => {
  const { clock, ids } = options
  const tokens = new LRUCache<string, { consumerKey: string; expiresAtMs: number }>({
    maxSize: MAX_TOKENS,
    sizeCalculation: asOne,
  })
  return {
    issue: (consumerKey, { endsEarlier }) => {
      for (const earlier of endsEarlier ? tokens.values() : []) {
        if (earlier.consumerKey === consumerKey) earlier.expiresAtMs = 0
      }
      const token = ids.accessToken()
      tokens.set(token, { consumerKey, expiresAtMs: clock().getTime() + TOKEN_LIFETIME_SECONDS * 1000 })
      return token
    },
    consumerKeyOf: (authorization) => {
      const token = /^Bearer +(\S+)$/i.exec(authorization ?? '')?.[1]
      if (token === undefined) throw new wrong.Refused(wrong.INVALID_AUTHENTICATION_HEADER)
      const known = tokens.peek(token)
      if (!known || known.expiresAtMs <= clock().getTime())
        throw new wrong.Refused(wrong.INVALID_ACCESS_TOKEN)
      return known.consumerKey
    },
  }
}

/** The consumer key of a Basic header that names a key and a secret, else undefined. Any two are good. */
const basicKeyOf = (authorization: string | undefined): string | undefined => {
  const encoded = /^Basic +(\S+)$/i.exec(authorization ?? '')?.[1] ?? ''
  return /^([^:]+):.+$/s.exec(Buffer.from(encoded, 'base64').toString())?.[1]
}

/** `GET /oauth/v1/generate?grant_type=client_credentials` with HTTP Basic: a token, good for 3599 s. */
export const registerOAuth = (route: Route, options: { tokens: Tokens; choose: Choose }): void => {
  const { tokens, choose } = options
  route('GET', '/oauth/v1/generate', ({ headers, query }) => {
    const consumerKey = basicKeyOf(headers.authorization)
    if (consumerKey === undefined) throw new wrong.Refused(wrong.INVALID_AUTHENTICATION)
    if (query['grant_type'] !== 'client_credentials') throw new wrong.Refused(wrong.INVALID_GRANT_TYPE)
    const { fault, numbersInAnswer, endsEarlierTokens = false } = choose.token(consumerKey)
    const right = {
      access_token: tokens.issue(consumerKey, { endsEarlier: endsEarlierTokens }),
      expires_in: numbersInAnswer ? TOKEN_LIFETIME_SECONDS : String(TOKEN_LIFETIME_SECONDS),
    }
    return { right, wrong: fault }
  })
}
