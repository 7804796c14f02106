import type { Clock } from '../../runtime/clock.ts'
import { toDarajaTimestamp } from '../../values/instant.ts'
import type { DarajaAccount } from './account.ts'
import { classifyError, type Refusal } from './classify-error.ts'
import type { SendToDaraja } from './client.ts'
import { type TokenSource, tokenProblem } from './token.ts'

/** A connection to Daraja as one account. */
export type Daraja = { account: DarajaAccount; send: SendToDaraja; tokens: TokenSource; clock: Clock }

/** A successful answer, or what its absence means. */
export type CallReply =
  | { kind: 'success'; json: Record<string, unknown> }
  | Exclude<Refusal, { kind: 'bad_token' }>

/** How long to keep away when no access token can be had, ms. */
const NO_TOKEN_BACK_OFF_MS = 5_000

/**
 * How long to keep away when a fresh token was refused too, ms: short, for most likely another process had a newer one made
 * between our two calls.
 */
const CONTESTED_TOKEN_BACK_OFF_MS = 1_000

/**
 * Calls Daraja with the account's token. A token that Daraja calls invalid, because another process had a new one made, is
 * renewed once and the call repeated once: that refusal is certain, so nothing is sent twice. An answer with HTTP 200 is a
 * success when `isSuccess` says so of its body.
 */
export const callDaraja = async (
  daraja: Daraja,
  path: string,
  body: Record<string, unknown>,
  isSuccess: (json: Record<string, unknown>) => boolean = (json) => json['ResponseCode'] === '0',
): Promise<CallReply> => {
  const call = { path, body, isSuccess }
  const first = await callOnce(daraja, call)
  if (first.kind !== 'bad_token') return first
  const second = await callOnce(daraja, call)
  return second.kind === 'bad_token'
    ? { ...second, kind: 'later', afterMs: CONTESTED_TOKEN_BACK_OFF_MS, concerns: 'whole_account' }
    : second
}

const callOnce = async (
  daraja: Daraja,
  call: {
    path: string
    body: Record<string, unknown>
    isSuccess: (json: Record<string, unknown>) => boolean
  },
): Promise<CallReply | Refusal> => {
  const token = await daraja.tokens.get()
  if (token.kind === 'none')
    return {
      kind: 'later',
      ...tokenProblem(token.reply),
      afterMs: NO_TOKEN_BACK_OFF_MS,
      concerns: 'whole_account',
    }
  const headers = { authorization: `Bearer ${token.token}` }
  const reply = await daraja.send({ method: 'POST', path: call.path, headers, body: call.body })
  if (reply.kind === 'answered' && reply.status === 200 && reply.json && call.isSuccess(reply.json)) {
    return { kind: 'success', json: reply.json }
  }
  const refusal = classifyError(reply)
  if (refusal.kind === 'bad_token') daraja.tokens.forget(token.token)
  return refusal
}

/** What every request proves itself with: Password = base64(shortcode + passkey + Timestamp), Timestamp in East Africa Time. */
export const credentialsOf = (
  daraja: Daraja,
): { BusinessShortCode: number; Password: string; Timestamp: string } => {
  const { shortcode, passkey } = daraja.account
  const timestamp = toDarajaTimestamp(daraja.clock())
  return {
    BusinessShortCode: Number(shortcode),
    Password: Buffer.from(shortcode + passkey + timestamp).toString('base64'),
    Timestamp: timestamp,
  }
}
