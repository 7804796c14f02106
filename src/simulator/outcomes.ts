import { type DarajaError, INTERNAL_SERVER_ERROR, invalidField, SUBSCRIBER_LOCKED } from './daraja-errors.ts'

/** How M-PESA says that a payment ended. The code decides; the words differ by channel, as they do upstream. */
export type Result = { code: number; callbackDescription: string; queryDescription: string }

/**
 * An ending that a payment comes to `afterDelays` times the callback delay after its prompt: from then on the query answers
 * with its result, and so many callbacks are posted, all at that moment.
 */
export type Ending = { afterDelays: number; result: Result; callbacks: 0 | 1 | 2 }

/** How the push itself is answered. Every kind but `refused` has prompted the payer. */
export type Answer =
  | { kind: 'refused'; error: DarajaError }
  | { kind: 'accepted' }
  | { kind: 'accepted-late'; afterDelays: number }
  | { kind: 'accepted-after-callback' }
  | { kind: 'error-after-prompt'; error: DarajaError }
  | { kind: 'cut-after-prompt' }

/** One row of the table: what chooses it, and all that then happens, in the order of time. */
export type Outcome = {
  name: string
  phones: readonly string[]
  amountsKes: readonly number[]
  answer: Answer
  endings: readonly Ending[]
}

const result = (
  code: number,
  callbackDescription: string,
  queryDescription = callbackDescription,
): Result => ({
  code,
  callbackDescription,
  queryDescription,
})

const PAID = result(0, 'The service request is processed successfully.')
const INSUFFICIENT_FUNDS = result(1, 'The balance is insufficient for the transaction.')
const CANCELLED = result(1032, 'Request cancelled by user')
// Recorded: one payment's callback and query used these two wordings.
const TIMED_OUT = result(1037, 'No response from user.', 'DS timeout user cannot be reached.')
const WRONG_PIN = result(2001, 'The initiator information is invalid.')

const ACCEPTED: Answer = { kind: 'accepted' }
const once = (result: Result, afterDelays = 1): Ending => ({ afterDelays, result, callbacks: 1 })

/** What a payment comes to that nothing chooses otherwise. */
const PAID_OUTCOME: Outcome = {
  name: 'paid',
  // The second is the payer of Safaricom's own sandbox, which many examples use.
  phones: ['254700000000', '254708374149'],
  amountsKes: [],
  answer: ACCEPTED,
  endings: [once(PAID)],
}

/** A row under its number, which ends both the phone number and the amount that choose it. */
const numbered = (number: number, name: string, answer: Answer, endings: readonly Ending[]): Outcome => ({
  name,
  phones: [`2547000000${String(number).padStart(2, '0')}`],
  amountsKes: [249_000 + number],
  answer,
  endings,
})

/**
 * Every outcome: 0x the payment ends and one callback says how, 1x the push is refused and nobody is prompted, 2x the
 * callback misbehaves, 3x the answer to the push misbehaves.
 */
export const OUTCOMES: readonly Outcome[] = [
  PAID_OUTCOME,
  numbered(1, 'insufficient-funds', ACCEPTED, [once(INSUFFICIENT_FUNDS)]),
  numbered(2, 'cancelled', ACCEPTED, [once(CANCELLED)]),
  numbered(3, 'timeout', ACCEPTED, [once(TIMED_OUT)]),
  numbered(4, 'wrong-pin', ACCEPTED, [once(WRONG_PIN)]),
  numbered(11, 'refused', { kind: 'refused', error: invalidField('PhoneNumber') }, []),
  numbered(12, 'subscriber-locked', { kind: 'refused', error: SUBSCRIBER_LOCKED }, []),
  numbered(21, 'slow', ACCEPTED, [once(PAID, 20)]),
  numbered(22, 'never-calls-back', ACCEPTED, [{ afterDelays: 1, result: PAID, callbacks: 0 }]),
  numbered(23, 'never-calls-back-timeout', ACCEPTED, [{ afterDelays: 1, result: TIMED_OUT, callbacks: 0 }]),
  numbered(24, 'calls-back-twice', ACCEPTED, [{ afterDelays: 1, result: PAID, callbacks: 2 }]),
  numbered(25, 'late-success', ACCEPTED, [once(TIMED_OUT), once(PAID, 5)]),
  numbered(31, 'callback-before-reply', { kind: 'accepted-after-callback' }, [once(PAID, 0)]),
  numbered(32, 'slow-reply', { kind: 'accepted-late', afterDelays: 20 }, [once(PAID)]),
  numbered(33, 'error-after-prompt', { kind: 'error-after-prompt', error: INTERNAL_SERVER_ERROR }, [
    once(PAID),
  ]),
  numbered(34, 'cut-after-prompt', { kind: 'cut-after-prompt' }, [once(PAID)]),
]

/** The outcome of a payment: the phone number chooses, else the amount (KES), else it is paid. */
export const chooseOutcome = (phone: string, amountKes: number): Outcome =>
  OUTCOMES.find((outcome) => outcome.phones.includes(phone)) ??
  OUTCOMES.find((outcome) => outcome.amountsKes.includes(amountKes)) ??
  PAID_OUTCOME
