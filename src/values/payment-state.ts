import { PaymentState } from '../gen/mpesa/gateway/v1/payments_pb.js'

/** The states of a payment by the name that they have in SQL and for partners. */
export const PAYMENT_STATES = {
  accepted: PaymentState.ACCEPTED,
  submitting: PaymentState.SUBMITTING,
  submitted: PaymentState.SUBMITTED,
  unconfirmed: PaymentState.UNCONFIRMED,
  successful: PaymentState.SUCCESSFUL,
  failed: PaymentState.FAILED,
} as const

export type PaymentStateName = keyof typeof PAYMENT_STATES

const isName = (text: string): text is PaymentStateName => Object.hasOwn(PAYMENT_STATES, text)

export const PAYMENT_STATE_NAMES = Object.keys(PAYMENT_STATES).filter(isName)

/** The name of a state in a message; null for one that is not set or not known. */
export const toPaymentStateName = (state: PaymentState): PaymentStateName | null =>
  PAYMENT_STATE_NAMES.find((name) => PAYMENT_STATES[name] === state) ?? null

/** The state that a text names; null for a text that names none. */
export const parsePaymentState = (text: string): PaymentState | null =>
  isName(text) ? PAYMENT_STATES[text] : null
