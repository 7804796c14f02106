import { type CallReply, callDaraja, credentialsOf, type Daraja } from './call.ts'

/** A prompt that Daraja is asked to show. */
export type Push = {
  msisdn: string
  amountKes: number
  /** What the payer sees: at most twelve letters and digits. */
  accountReference: string
  callbackUrl: string
}

/** What became of a push. */
export type PushOutcome =
  | { kind: 'accepted'; merchantRequestId: string; checkoutRequestId: string }
  | Exclude<CallReply, { kind: 'success' }>

const ACCOUNT_REFERENCE_CHARACTERS = 12

/** Documented as optional, refused when it is missing ("Invalid Remarks"); at most 13 characters. */
const TRANSACTION_DESC = 'Payment'

/**
 * What the payer sees: the partner's reference shortened to twelve letters and digits, or the payment's id when it has none.
 */
export const toAccountReference = (reference: string | null, paymentId: bigint): string => {
  const shortened = (reference ?? '').replaceAll(/[^A-Za-z0-9]/g, '').slice(0, ACCOUNT_REFERENCE_CHARACTERS)
  return shortened === '' ? paymentId.toString() : shortened
}

/**
 * Asks Daraja to prompt a payer. Call it at most once a payment: Daraja knows no idempotency, the same request twice prompts
 * twice. An accepted answer without ids is `unknown`, for the payer has the prompt.
 */
export const pushStk = async (daraja: Daraja, push: Push): Promise<PushOutcome> => {
  const reply = await callDaraja(daraja, '/mpesa/stkpush/v1/processrequest', {
    ...credentialsOf(daraja),
    TransactionType: daraja.account.transactionType,
    Amount: push.amountKes,
    PartyA: Number(push.msisdn),
    PartyB: Number(daraja.account.partyB),
    PhoneNumber: Number(push.msisdn),
    CallBackURL: push.callbackUrl,
    AccountReference: push.accountReference,
    TransactionDesc: TRANSACTION_DESC,
  })
  if (reply.kind !== 'success') return reply
  const merchantRequestId = reply.json['MerchantRequestID']
  const checkoutRequestId = reply.json['CheckoutRequestID']
  return typeof merchantRequestId === 'string' && typeof checkoutRequestId === 'string'
    ? { kind: 'accepted', merchantRequestId, checkoutRequestId }
    : { kind: 'unknown', reason: 'accepted without ids' }
}
