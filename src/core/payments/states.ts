import type { PaymentStateName } from '../../database/schema/payments.ts'

// The states of a payment, what enters and what leaves each:
//
// accepted     Durable, the payer not prompted. Entered by an answered request, or again from `submitting` when Daraja
//              said for certain that it did not process the push and may be asked later. Left by the submit loop.
// submitting   Committed before the first byte goes to Daraja. A process that finds such a payment and is not the one
//              that submits it never sends it: the payer may have the prompt already.
// submitted    Daraja took the push and gave its ids. Left by the callback, or by a definite answer to the query.
// unconfirmed  It is not known whether the payer was prompted. Never sent again, never guessed: left by the callback,
//              by M-PESA's own records (Pull Transactions), by an operator; or by the reply to the push, when it comes
//              after all and says for certain that nothing was done, or brings the ids by which the query can ask.
// successful   Paid. Final.
// failed       Not paid, as far as is known. Left only by a later authoritative success.
//
// A callback may come before the reply to the push: then it waits for that, for only the ids of the push distinguish it
// from one of another payment. After a reply that nothing was processed it settles all the same. It names its payment
// by a token and a nonce, so it needs no ids, and settles from every open state but `submitting`.

/** Where each state may lead. */
export const ARROWS: Readonly<Record<PaymentStateName, readonly PaymentStateName[]>> = {
  accepted: ['submitting', 'successful', 'failed'],
  submitting: ['accepted', 'submitted', 'unconfirmed', 'successful', 'failed'],
  submitted: ['successful', 'failed'],
  unconfirmed: ['successful', 'failed'],
  failed: ['successful'],
  successful: [],
}

/** True for the name of a state. */
export const isPaymentState = (name: string): name is PaymentStateName => Object.hasOwn(ARROWS, name)

/** Why a payment moved; kept in its history. */
export type Cause =
  | 'taken_for_submission'
  | 'push_accepted'
  | 'push_refused'
  | 'push_to_be_repeated'
  | 'push_outcome_unknown'
  | 'submitter_lost'
  | 'submit_deadline_passed'
  | 'partner_disabled'
  | 'cancelled'
  | 'callback'
  | 'query'
  | 'pull'
  | 'operator'

/** What a partner reads of a payment whose payer was never prompted; M-PESA gave no code. */
export const NOT_PROMPTED = {
  resultCode: 'NOT_PROMPTED',
  resultDesc: 'The payer was not prompted in time.',
}

/** The same for a partner that was disabled meanwhile: one code for both, for it means the same to its books. */
export const STOPPED = {
  resultCode: NOT_PROMPTED.resultCode,
  resultDesc: 'The payer was not prompted: the partner is disabled.',
}

/** What a partner reads of a payment that was cancelled before its payer was prompted; M-PESA knows nothing of it. */
export const CANCELLED = {
  resultCode: 'CANCELLED',
  resultDesc: 'The payment was cancelled before its payer was prompted.',
}
