import type { RowOf } from '../../database/schema/schema.ts'
import { callDaraja, credentialsOf, type Daraja, readSuccess, type Unsuccessful } from './call.ts'
import { PUSH_PATH } from './client.ts'
import type { JsonObject } from './read-json.ts'
import { fieldOf, wordOf } from './read-json.ts'

/** Whom Daraja is asked to prompt, and for how much: a payment, by the names of its row. */
export type Prompted = RowOf<'payments', 'msisdn' | 'amount_kes'>

export type Wording = {
  /** What the payer sees: at most twelve letters and digits. */
  accountReference: string
  /** Where Daraja is to POST the outcome. */
  darajaCallbackUrl: string
}

/** What became of a push. */
export type PushOutcome =
  | { kind: 'accepted'; merchantRequestId: string | null; checkoutRequestId: string }
  | Unsuccessful

const ACCOUNT_REFERENCE_CHARACTERS = 12

/** Documented as optional, refused when it is missing ("Invalid Remarks"); at most 13 characters. */
const TRANSACTION_DESC = 'Payment'

/**
 * What the payer sees: the partner's reference shortened to twelve letters and digits, or the payment's id when it has
 * none.
 */
export const toAccountReference = (reference: string | null, paymentId: bigint): string => {
  const shortened = (reference ?? '').replaceAll(/[^A-Za-z0-9]/g, '').slice(0, ACCOUNT_REFERENCE_CHARACTERS)
  return shortened === '' ? paymentId.toString() : shortened
}

/**
 * Asks Daraja to prompt a payer. Call it at most once a payment: Daraja knows no idempotency, the same request twice
 * prompts twice. An accepted answer without a CheckoutRequestID is `unknown`, for the payer has the prompt. What the
 * body says counts, whatever HTTP status it came with.
 */
export const pushStk = async (
  daraja: Daraja,
  { msisdn, amount_kes }: Prompted,
  { accountReference, darajaCallbackUrl }: Wording,
): Promise<PushOutcome> => {
  const body = {
    ...credentialsOf(daraja),
    TransactionType: daraja.account.transactionType,
    Amount: amount_kes,
    PartyA: Number(msisdn),
    PartyB: Number(daraja.account.partyB),
    PhoneNumber: Number(msisdn),
    CallBackURL: darajaCallbackUrl,
    AccountReference: accountReference,
    TransactionDesc: TRANSACTION_DESC,
  }
  const reply = await callDaraja(daraja, { path: PUSH_PATH, body, read: readSuccess })
  return reply.kind === 'success' ? toAccepted(reply.value) : reply
}

const toAccepted = (json: JsonObject): PushOutcome => {
  const checkoutRequestId = wordOf(fieldOf(json, 'CheckoutRequestID'), MAX_ID_CHARACTERS)
  const merchantRequestId = wordOf(fieldOf(json, 'MerchantRequestID'), MAX_ID_CHARACTERS)
  return checkoutRequestId === null
    ? { kind: 'unknown', reason: 'accepted without ids' }
    : { kind: 'accepted', merchantRequestId, checkoutRequestId }
}

/** As for those of callbacks; the longest that was seen has 37. */
const MAX_ID_CHARACTERS = 128
