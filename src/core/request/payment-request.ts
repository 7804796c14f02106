import { hash } from 'node:crypto'
import type { Message } from '@bufbuild/protobuf'
import { sql } from 'kysely'
import type { Database } from '../../database/connect.ts'
import type { RequestPaymentRequest } from '../../gen/mpesa/gateway/v1/payments_pb.js'
import { type Kes, parseKes } from '../../values/amount.ts'
import { leadsToHost } from '../../values/callback-host.ts'
import { type CallbackUrl, type CallbackUrlPolicy, parseCallbackUrl } from '../../values/callback-url.ts'
import { type ExpiresInSeconds, parseExpiresIn } from '../../values/expires-in.ts'
import { type IdempotencyKey, parseBlankEndedKey, parseIdempotencyKey } from '../../values/idempotency-key.ts'
import { type Metadata, parseMetadata } from '../../values/metadata.ts'
import { type Msisdn, parseMsisdn } from '../../values/msisdn.ts'
import { type Parsed, valid } from '../../values/parsed.ts'
import { parseReference, type Reference } from '../../values/reference.ts'

/** A request for a payment, every field checked, under the names that the message has for them. */
export type PaymentRequest = {
  msisdn: Msisdn
  amountKes: Kes
  reference: Reference | null
  callbackUrl: CallbackUrl
  idempotencyKey: IdempotencyKey | null
  metadata: Metadata | null
  /** Null: for as long as the gateway's setting says. */
  expiresInSeconds: ExpiresInSeconds | null
}

/** The first field that is wrong, and the end of the sentence that starts with its name. */
export type Refusal = { field: string; problem: string }

/** What operators set for the partner that asks; null: nothing in particular. */
export type RequestBounds = {
  callbackHosts: readonly string[] | null
  maxPaymentKes: number | null
  /** The key asked with, where it is one that is stored though no such key is taken any more (`findBlankEndedKey`). */
  storedKey?: IdempotencyKey | null
}

/** What a request is checked by. */
type Checks = {
  policy: CallbackUrlPolicy
  bounds?: RequestBounds
  /** The fields that were given to the caller as something that the message cannot hold. */
  unreadable?: readonly string[]
}

const UNBOUND: RequestBounds = { callbackHosts: null, maxPaymentKes: null }

/** Checks a request, `callback_url` first, for its message is the one the guide promises. */
export const parsePaymentRequest = (
  message: Omit<RequestPaymentRequest, keyof Message>,
  { policy, bounds = UNBOUND, unreadable = [] }: Checks,
): { request: PaymentRequest } | { refusal: Refusal } => {
  const read = <Value>(field: string, value: Value): Value | null =>
    unreadable.includes(field) ? null : value
  const callbackUrl = parseCallbackUrl(read('callback_url', message.callbackUrl), policy)
  if (!callbackUrl.ok) return refuse('callback_url', callbackUrl.problem)
  if (bounds.callbackHosts !== null && !leadsToHost(callbackUrl.value, bounds.callbackHosts)) {
    return refuse('callback_url', `must lead to a host of this partner's: ${bounds.callbackHosts.join(', ')}`)
  }
  const msisdn = parseMsisdn(read('msisdn', message.msisdn))
  if (!msisdn.ok) return refuse('msisdn', msisdn.problem)
  const amountKes = parseKes(read('amount_kes', message.amountKes))
  if (!amountKes.ok) return refuse('amount_kes', amountKes.problem)
  if (bounds.maxPaymentKes !== null && amountKes.value > bounds.maxPaymentKes) {
    return refuse('amount_kes', `must be at most ${bounds.maxPaymentKes} KES, which is this partner's limit`)
  }
  const text = read('reference', message.reference)
  const reference = text === undefined || text === '' ? null : parseReference(text)
  if (reference?.ok === false) return refuse('reference', reference.problem)
  const metadata = parseMetadata(message.metadata, unreadable)
  if ('refusal' in metadata) return metadata
  const seconds = read('expires_in_seconds', message.expiresInSeconds)
  const expiresIn = seconds === undefined ? null : parseExpiresIn(seconds)
  if (expiresIn?.ok === false) return refuse('expires_in_seconds', expiresIn.problem)
  const key = parseKey(read('idempotency_key', message.idempotencyKey), bounds.storedKey ?? null)
  if (key?.ok === false) return refuse('idempotency_key', key.problem)
  return {
    request: {
      callbackUrl: callbackUrl.value,
      msisdn: msisdn.value,
      amountKes: amountKes.value,
      reference: reference?.value ?? null,
      idempotencyKey: key?.value ?? null,
      metadata: metadata.metadata,
      expiresInSeconds: expiresIn?.value ?? null,
    },
  }
}

const parseKey = (
  given: string | null | undefined,
  stored: IdempotencyKey | null,
): Parsed<IdempotencyKey> | null => {
  if (given === undefined) return null
  return stored === null || given === null ? parseIdempotencyKey(given) : valid(stored)
}

const refuse = (field: string, problem: string): { refusal: Refusal } => ({ refusal: { field, problem } })

/**
 * The key, where it has blanks at its ends and was stored when such keys were taken: its repetition must stay a
 * duplicate. Null for every other text, without a question to the database unless it has blanks there.
 */
export const findBlankEndedKey = async (
  database: Database,
  partnerId: bigint,
  text: string | null | undefined,
): Promise<IdempotencyKey | null> => {
  const key = parseBlankEndedKey(text ?? '')
  if (key === null) return null
  const stored = await database
    .selectFrom('idempotency_keys')
    .select('payment_id')
    .where(sql<boolean>`partner_id = ${partnerId}`)
    .where('key_hash', '=', hashIdempotencyKey(key))
    .executeTakeFirst()
  return stored ? key : null
}

/**
 * SHA-256 of an idempotency key: what is stored and compared, so that a key of any length is one narrow index entry.
 */
export const hashIdempotencyKey = (key: IdempotencyKey): Buffer => sha256(key)

/**
 * SHA-256 over a version and the four parsed fields: two requests with the same fingerprint ask for the same payment,
 * however their JSON was written. What does not change who is asked for what stays out of it: a repetition may
 * count its tries in `metadata`, and `expires_in_seconds` is less when it is asked again. A change of what is covered needs a new version, or old keys would be taken for
 * re-used ones.
 */
export const fingerprintOf = (request: PaymentRequest): Buffer =>
  sha256(JSON.stringify(['v1', request.msisdn, request.amountKes, request.reference, request.callbackUrl]))

/**
 * By way of a text: a buffer of the hash's own has memory outside of the heap, and takes more than twice as long
 * (measured: 1.1 µs instead of 0.5, for each request twice).
 */
const sha256 = (text: string): Buffer => Buffer.from(hash('sha256', text, 'binary'), 'binary')
