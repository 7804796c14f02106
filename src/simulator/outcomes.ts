import { PLAIN } from './behaviour.ts'
import { INTERNAL_SERVER_ERROR, invalidField, SUBSCRIBER_LOCKED } from './daraja-errors.ts'
import { type Call, ends, numbered, type Outcome } from './outcome.ts'
import { RARE_OUTCOMES } from './rare-outcomes.ts'
import { CANCELLED, INSUFFICIENT_FUNDS, PAID, TIMED_OUT, WRONG_PIN } from './results.ts'
import { refusal } from './wrong-reply.ts'

/** Chosen by hand it stands for all: nothing that is drawn for the run happens to this payment's push or callback. */
const PAID_OUTCOME: Outcome = {
  name: 'paid',
  call: 'push',
  // The second is the payer of Safaricom's own sandbox, which many examples use.
  phones: ['254700000000', '254708374149'],
  amountsKes: [],
  does: PLAIN,
}

/**
 * The outcomes that a partner rehearses: 0x the payment ends and one callback says how, 1x the push is refused and nobody is
 * prompted, 2x the callback misbehaves, 3x the answer to the push misbehaves.
 */
export const USUAL_OUTCOMES: readonly Outcome[] = [
  PAID_OUTCOME,
  numbered(1, 'insufficient-funds', { endings: [ends(INSUFFICIENT_FUNDS)] }),
  numbered(2, 'cancelled', { endings: [ends(CANCELLED)] }),
  numbered(3, 'timeout', { endings: [ends(TIMED_OUT)] }),
  numbered(4, 'wrong-pin', { endings: [ends(WRONG_PIN)] }),
  numbered(11, 'refused', { answer: { kind: 'refused', wrong: refusal(invalidField('PhoneNumber')) } }),
  numbered(12, 'subscriber-locked', { answer: { kind: 'refused', wrong: refusal(SUBSCRIBER_LOCKED) } }),
  numbered(21, 'slow', { endings: [ends(PAID, 20)] }),
  numbered(22, 'never-calls-back', { callbackTimes: 0 }),
  numbered(23, 'never-calls-back-timeout', { endings: [ends(TIMED_OUT)], callbackTimes: 0 }),
  numbered(24, 'calls-back-twice', { callbackTimes: 2 }),
  numbered(25, 'late-success', { endings: [ends(TIMED_OUT), ends(PAID, 5)] }),
  numbered(31, 'callback-before-reply', {
    answer: { kind: 'accepted-after-callback' },
    endings: [ends(PAID, 0)],
  }),
  numbered(32, 'slow-reply', { answer: { kind: 'prompted', wrong: { kind: 'late', afterDelays: 20 } } }),
  numbered(33, 'error-after-prompt', {
    answer: { kind: 'prompted', wrong: refusal(INTERNAL_SERVER_ERROR) },
  }),
  numbered(34, 'cut-after-prompt', { answer: { kind: 'prompted', wrong: { kind: 'cut' } } }),
]

/** Every outcome. Where several are drawn that exclude each other, the one that stands first here happens. */
export const OUTCOMES: readonly Outcome[] = [...USUAL_OUTCOMES, ...RARE_OUTCOMES]

/** The outcomes that a payer's phone number and the amount (KES) choose, the phone number's first: one, two or none. */
export const chosenBy = (phone: string, amountKes: number): Outcome[] => [
  ...OUTCOMES.filter((outcome) => outcome.phones.includes(phone)),
  ...OUTCOMES.filter((outcome) => outcome.amountsKes.includes(amountKes)),
]

/** The outcomes that a consumer key chooses for all the calls of one kind made with it: names, joined by `+`. */
export const chosenByKey = (consumerKey: string, call: Call): Outcome[] => {
  const names = consumerKey.split('+')
  return OUTCOMES.filter((outcome) => outcome.call === call && names.includes(outcome.name))
}
