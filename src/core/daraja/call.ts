import type { Clock } from '../../runtime/clock.ts'
import { toDarajaTimestamp } from '../../values/instant.ts'
import type { DarajaAccount } from './account.ts'
import { classifyError, type Refusal } from './classify-error.ts'
import type { Reply, SendToDaraja } from './client.ts'
import type { JsonObject } from './read-json.ts'
import { fieldInAnyCase, fieldOf, textOf } from './read-json.ts'
import { type TokenSource, tokenProblem } from './token.ts'

/** A connection to Daraja as one account. */
export type Daraja = { account: DarajaAccount; send: SendToDaraja; tokens: TokenSource; clock: Clock }

/** An account at hand: how to ask Daraja as it, and what it has. */
export type OpenAccount = {
  daraja: Daraja
  /** True: the AccountReference is unique for each payment, instead of the partner's reference. */
  uniqueReference: boolean
  /** Pull Transactions, with the number that was nominated for them; null: it has them not. */
  pull: { msisdn: string | null } | null
  /** Of test payments: nothing of it leaves the process. Null: an account at Daraja. */
  test: TestAccount | null
}

/** A test payment whose callbacks may be lost. */
export type RecalledPayment = {
  paymentId: bigint
  msisdn: string
  amountKes: number
  nonce: string | null
  createdAt: Date
}

/** What an account of test payments can do beside what Daraja can. */
export type TestAccount = {
  /** Posts again the callbacks of a payment that must have come by now: M-PESA's records of what never happened. */
  callBackAgain(payment: RecalledPayment): Promise<void>
}

/**
 * The account of a payment, by its `account_id`. Null when its secrets cannot be opened, which is logged: what goes
 * through it waits. Rejects when Postgres is away.
 */
export type FindAccount = (accountId: bigint) => Promise<OpenAccount | null>

/** What a successful answer holds, or what its absence means. */
export type CallReply<Value> = { kind: 'success'; value: Value } | Unsuccessful

export type Unsuccessful = Exclude<Refusal, { kind: 'bad_token' }>

/** An answer that has an HTTP status, whatever it holds. */
export type Answer = Extract<Reply, { kind: 'answered' }>

type Call<Value> = {
  path: string
  body: Record<string, unknown>
  /** What a successful answer holds; null for one that is none. */
  read: (answer: Answer) => Value | null
}

/** How long to keep away when no access token can be had, ms. */
const NO_TOKEN_BACK_OFF_MS = 5_000

/**
 * How long to keep away when a fresh token was refused too, ms: short, for most likely another process had a newer one
 * made between our two calls.
 */
const CONTESTED_TOKEN_BACK_OFF_MS = 1_000

/**
 * Calls Daraja with the account's token. A token that Daraja calls invalid, because another process had a new one made,
 * is renewed once and the call repeated once: that refusal is certain, so nothing is sent twice.
 */
export const callDaraja = async <Value>(daraja: Daraja, call: Call<Value>): Promise<CallReply<Value>> => {
  const first = await callOnce(daraja, call)
  if (first.kind !== 'bad_token') return first
  const second = await callOnce(daraja, call)
  return second.kind === 'bad_token'
    ? { ...second, kind: 'later', afterMs: CONTESTED_TOKEN_BACK_OFF_MS, concerns: 'whole_account' }
    : second
}

const callOnce = async <Value>(
  daraja: Daraja,
  { path, body, read }: Call<Value>,
): Promise<CallReply<Value> | Refusal> => {
  const token = await daraja.tokens.get()
  if (token.kind === 'none')
    return {
      kind: 'later',
      ...tokenProblem(token.reply),
      afterMs: NO_TOKEN_BACK_OFF_MS,
      concerns: 'whole_account',
    }
  const headers = { authorization: `Bearer ${token.token}` }
  const reply = await daraja.send({ method: 'POST', path, headers, body })
  const value = reply.kind === 'answered' ? read(reply) : null
  if (value !== null) return { kind: 'success', value }
  const refusal = classifyError(reply)
  if (isAboutToken(reply, refusal)) daraja.tokens.forget(token.token)
  return refusal
}

/**
 * A 401 that nobody can read may be about the token: then the next call has a new one, though this one is not repeated.
 */
const isAboutToken = (reply: Reply, refusal: Refusal): boolean =>
  refusal.kind === 'bad_token' ||
  (refusal.kind === 'unknown' && reply.kind === 'answered' && reply.status === 401)

/** The body of an answer whose ResponseCode is exactly 0 or "0" and which names no error; null for any other. */
export const readSuccess = ({ json }: Answer): JsonObject | null => {
  const isSuccess =
    json !== undefined &&
    textOf(fieldOf(json, 'ResponseCode')) === '0' &&
    fieldInAnyCase(json, 'errorCode') === undefined &&
    fieldInAnyCase(json, 'fault') === undefined
  return isSuccess ? json : null
}

/**
 * What every request proves itself with: Password = base64(shortcode + passkey + Timestamp), Timestamp in East Africa
 * Time.
 */
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
