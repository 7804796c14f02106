import type { Clock } from '../runtime/clock.ts'
import { createBoundedMap } from './bounded-map.ts'
import { type DarajaError, INVALID_ACCESS_TOKEN, INVALID_AUTHENTICATION_HEADER } from './daraja-errors.ts'
import type { Ids } from './ids.ts'

/** How long a token is good for, in seconds: what Daraja says in every answer. */
export const TOKEN_LIFETIME_SECONDS = 3599
/** The newest tokens that are known. Some clients fetch one for every call, so there can be very many. */
const MAX_TOKENS = 10_000
const MAX_CONSUMER_KEYS = 1_000

/** The access tokens that were issued and have not run out. */
export type Tokens = {
  /** A new token of a consumer key, which may end the ones that the key had before. */
  issue(consumerKey: string, options: { endsEarlier: boolean }): string
  /** Judges an `Authorization` header: whose live token it carries, else the refusal. */
  judge(
    authorization: string | undefined,
  ): { ok: true; consumerKey: string } | { ok: false; error: DarajaError }
}

type Issued = { consumerKey: string; number: number; expiresAtMs: number }

export const createTokens = (options: { clock: Clock; ids: Ids }): Tokens => {
  const tokens = createBoundedMap<string, Issued>(MAX_TOKENS)
  /** By consumer key, the number of the oldest token that has not been ended. */
  const oldestLive = createBoundedMap<string, { number: number }>(MAX_CONSUMER_KEYS)
  const nowMs = (): number => options.clock().getTime()
  let issued = 0

  const endEarlier = (consumerKey: string): void => {
    const oldest = oldestLive.get(consumerKey)
    if (oldest) oldest.number = issued
    else oldestLive.add(consumerKey, { number: issued })
  }

  const issue: Tokens['issue'] = (consumerKey, { endsEarlier }) => {
    issued += 1
    if (endsEarlier) endEarlier(consumerKey)
    const token = options.ids.accessToken()
    const expiresAtMs = nowMs() + TOKEN_LIFETIME_SECONDS * 1000
    tokens.add(token, { consumerKey, number: issued, expiresAtMs })
    return token
  }

  const isLive = ({ consumerKey, number, expiresAtMs }: Issued): boolean =>
    expiresAtMs > nowMs() && number >= (oldestLive.get(consumerKey)?.number ?? 0)

  const judge: Tokens['judge'] = (authorization) => {
    const token = /^Bearer +(\S+)$/i.exec(authorization ?? '')?.[1]
    if (token === undefined) return { ok: false, error: INVALID_AUTHENTICATION_HEADER }
    const known = tokens.get(token)
    return known && isLive(known)
      ? { ok: true, consumerKey: known.consumerKey }
      : { ok: false, error: INVALID_ACCESS_TOKEN }
  }

  return { issue, judge }
}
