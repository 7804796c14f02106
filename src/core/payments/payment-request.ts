import { hash } from 'node:crypto'
import { type Kes, parseKes } from '../../values/amount.ts'
import { type CallbackUrl, type CallbackUrlPolicy, parseCallbackUrl } from '../../values/callback-url.ts'
import { type IdempotencyKey, parseIdempotencyKey } from '../../values/idempotency-key.ts'
import { type Msisdn, parseMsisdn } from '../../values/msisdn.ts'
import { parseReference, type Reference } from '../../values/reference.ts'

/** A request for a payment, every field checked. */
export type PaymentRequest = {
  msisdn: Msisdn
  amountKes: Kes
  reference: Reference | null
  callbackUrl: CallbackUrl
  idempotencyKey: IdempotencyKey | null
}

/** The fields as a caller gave them; undefined: not given. */
export type GivenPaymentRequest = {
  msisdn: string
  amountKes: number
  reference?: string | undefined
  callbackUrl: string
  idempotencyKey?: string | undefined
}

/** The first field that is wrong, and the end of the sentence that starts with its name. */
export type Refusal = { field: string; problem: string }

/** Checks a request, `callback_url` first, for its message is the one the guide promises. */
export const parsePaymentRequest = (
  given: GivenPaymentRequest,
  policy: CallbackUrlPolicy,
): { request: PaymentRequest } | { refusal: Refusal } => {
  const callbackUrl = parseCallbackUrl(given.callbackUrl, policy)
  if (!callbackUrl.ok) return refuse('callback_url', callbackUrl.problem)
  const msisdn = parseMsisdn(given.msisdn)
  if (!msisdn.ok) return refuse('msisdn', msisdn.problem)
  const amountKes = parseKes(given.amountKes)
  if (!amountKes.ok) return refuse('amount_kes', amountKes.problem)
  const reference = given.reference === undefined ? null : parseReference(given.reference)
  if (reference?.ok === false) return refuse('reference', reference.problem)
  const key = given.idempotencyKey === undefined ? null : parseIdempotencyKey(given.idempotencyKey)
  if (key?.ok === false) return refuse('idempotency_key', key.problem)
  return {
    request: {
      callbackUrl: callbackUrl.value,
      msisdn: msisdn.value,
      amountKes: amountKes.value,
      reference: reference?.value ?? null,
      idempotencyKey: key?.value ?? null,
    },
  }
}

const refuse = (field: string, problem: string): { refusal: Refusal } => ({ refusal: { field, problem } })

/** SHA-256 of an idempotency key: what is stored and compared, so that a key of any length is one narrow index entry. */
export const hashIdempotencyKey = (key: IdempotencyKey): Buffer => hash('sha256', key, 'buffer')

/**
 * SHA-256 over a version and the four parsed fields: two requests with the same fingerprint ask for the same payment, however
 * their JSON was written. A change of what is covered needs a new version, or old keys would be taken for re-used ones.
 */
export const fingerprintOf = (request: PaymentRequest): Buffer =>
  hash(
    'sha256',
    JSON.stringify(['v1', request.msisdn, request.amountKes, request.reference, request.callbackUrl]),
    'buffer',
  )
