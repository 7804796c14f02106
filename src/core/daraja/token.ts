import type { DarajaAccount } from './account.ts'
import { classifyError } from './classify-error.ts'
import { type Reply, type SendToDaraja, TOKEN_PATH } from './client.ts'
import { fieldOf, numberOf, wordOf } from './read-json.ts'

/** An access token, or why there is none. */
export type TokenReply = { kind: 'token'; token: string } | { kind: 'none'; reply: Reply }

export type TokenSource = {
  /** The present token; asks Daraja when there is none or it is about to expire. */
  get(): Promise<TokenReply>
  /** Forgets `token`, which Daraja called invalid; a newer one stays. */
  forget(token: string): void
}

/** A token is renewed this long before it expires, ms. */
const RENEW_BEFORE_MS = 60_000

/**
 * Keeps the one access token of an account, shared by every request: a new token may invalidate the one before, so no
 * two are asked for at once. `nowMs` is a monotonic time in ms.
 */
export const createTokenSource = (options: {
  send: SendToDaraja
  account: DarajaAccount
  nowMs: () => number
}): TokenSource => {
  let present: { token: string; renewAtMs: number } | undefined
  let asking: Promise<TokenReply> | undefined

  const ask = async (): Promise<TokenReply> => {
    const reply = await requestToken(options.send, options.account)
    const fresh = readToken(reply)
    if (!fresh) return { kind: 'none', reply }
    present = {
      token: fresh.token,
      renewAtMs: options.nowMs() + Math.max(fresh.expiresInMs - RENEW_BEFORE_MS, 1_000),
    }
    return { kind: 'token', token: fresh.token }
  }

  const get = (): Promise<TokenReply> => {
    if (present && options.nowMs() < present.renewAtMs) {
      return Promise.resolve({ kind: 'token', token: present.token })
    }
    asking ??= ask().finally(() => {
      asking = undefined
    })
    return asking
  }

  const forget = (token: string): void => {
    if (present?.token === token) present = undefined
  }

  return { get, forget }
}

/** Asks Daraja for an access token of the account, whatever is known of others. */
export const requestToken = (send: SendToDaraja, account: DarajaAccount): Promise<Reply> => {
  const credentials = Buffer.from(`${account.consumerKey}:${account.consumerSecret}`).toString('base64')
  return send({
    method: 'GET',
    path: `${TOKEN_PATH}?grant_type=client_credentials`,
    headers: { authorization: `Basic ${credentials}` },
  })
}

/** How long a token counts as good when its answer does not say, ms. */
const UNSAID_LIFETIME_MS = 300_000

const MAX_TOKEN_CHARACTERS = 4096

/** The token in an answer, null when there is none; `expires_in` comes as a string or as a number of seconds. */
export const readToken = (reply: Reply): { token: string; expiresInMs: number } | null => {
  if (reply.kind !== 'answered' || !reply.json) return null
  const token = wordOf(fieldOf(reply.json, 'access_token'), MAX_TOKEN_CHARACTERS)
  const seconds = numberOf(fieldOf(reply.json, 'expires_in'))
  if (token === null || (seconds !== null && seconds <= 0)) return null
  return { token, expiresInMs: seconds === null ? UNSAID_LIFETIME_MS : seconds * 1000 }
}

/** Why a token could not be had: nothing was asked of the payer, so the push may be repeated whatever the reason. */
export const tokenProblem = (reply: Reply): { code: string; message: string } => {
  const refusal = classifyError(reply)
  if (refusal.kind === 'unknown') return { code: 'no_token', message: refusal.reason }
  return { code: refusal.code, message: refusal.message }
}
