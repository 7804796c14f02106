import type { RowOf } from '../../database/schema/schema.ts'
import { maskCheckoutRequestId } from '../../values/checkout-request-id.ts'
import { maskMsisdn } from '../../values/msisdn.ts'
import type { Evidence } from './evidence.ts'
import type { Finding, FindingKind } from './findings.ts'

// Is this evidence of this payment? A callback URL names a payment by its id, and a database that is put back to an
// older copy gives ids again: what came to the URL of one that had the id before says nothing of the one that has it
// now. What Daraja says under the right URL, and which contradicts what the payment is, settles nothing either: it is
// for a person to look at, and Daraja is asked for the outcome.

/** What makes a payment this one and no other. */
type Known = RowOf<
  'payments',
  'state' | 'msisdn' | 'amount_kes' | 'merchant_request_id' | 'checkout_request_id' | 'callback_nonce'
>

export type Identity =
  | { kind: 'same' }
  /** The reply to the push, which brings the ids to compare, is still to come. */
  | { kind: 'not_known_yet' }
  /** Of another payment, or not shown to be of this one. */
  | { kind: 'other'; findings: Finding[] }

/** Holds a piece of evidence against the payment that it names. Pure. */
export const judgeIdentity = (known: Known, said: Evidence): Identity => {
  const { callback } = said
  if (callback) {
    if (differ(known.callback_nonce, callback.nonce))
      return other(said, 'of_another_payment', sides(known, said))
    if (known.state === 'submitting') return { kind: 'not_known_yet' }
  }
  const findings = findContradictions(known, said)
  if (findings.length > 0) return { kind: 'other', findings }
  const isProven =
    !callback || callback.nonce === known.callback_nonce || isOurPush(known, said.checkoutRequestId)
  return isProven ? { kind: 'same' } : other(said, 'not_proven', sides(known, said))
}

const findContradictions = (known: Known, said: Evidence): Finding[] => {
  const findings: Finding[] = []
  const add = (kind: FindingKind, detail: string): void => void findings.push(toFinding(said, kind, detail))
  if (differ(known.checkout_request_id, said.checkoutRequestId))
    add('different_checkout_request_id', checkoutSides(known, said))
  if (differ(known.merchant_request_id, said.merchantRequestId))
    add('different_merchant_request_id', `${said.merchantRequestId} beside ${known.merchant_request_id}`)
  if (differ(known.amount_kes, said.amountKes))
    add('different_amount', `KES ${said.amountKes} reported, KES ${known.amount_kes} requested`)
  const payer = said.payerMsisdn ?? null
  if (payer !== null && payer !== known.msisdn)
    add('different_payer', `${maskMsisdn(payer)} beside ${maskMsisdn(known.msisdn)}`)
  return findings
}

/**
 * A process of the release before pushes without the nonce, and whatever stands between Daraja and us may drop it: then
 * only the id that Daraja gave us shows that the callback is of this payment.
 */
const isOurPush = (known: Known, checkoutRequestId: string | null): boolean =>
  checkoutRequestId !== null && checkoutRequestId === known.checkout_request_id

/** Both are known, and they are not the same. */
const differ = <Value>(one: Value | null, another: Value | null): boolean =>
  one !== null && another !== null && one !== another

const other = (said: Evidence, kind: FindingKind, detail: string): Identity => ({
  kind: 'other',
  findings: [toFinding(said, kind, detail)],
})

const toFinding = (said: Evidence, kind: FindingKind, detail: string): Finding => ({
  paymentId: said.paymentId,
  kind,
  detail: `${said.cause}: ${detail}`,
})

const checkoutSides = (known: Known, said: Evidence): string =>
  `${maskOrNone(said.checkoutRequestId)} beside ${maskOrNone(known.checkout_request_id)}`

const sides = (known: Known, said: Evidence): string =>
  `result ${said.resultCode}, receipt ${said.receipt ?? 'none'}, ${checkoutSides(known, said)}`

const maskOrNone = (id: string | null): string => (id === null ? 'no id' : maskCheckoutRequestId(id))
