/** The digits of the payer's number that the id ends with. */
const NUMBER_DIGITS = 9

/** One that was given by Daraja for a number: other forms need not end with it. */
const ENDS_WITH_NUMBER = /^ws_CO_\d{9,}$/

/** A CheckoutRequestID with zeros in the place of the payer's number, as it is kept once that is erased. */
export const eraseInCheckoutRequestId = (id: string): string =>
  ENDS_WITH_NUMBER.test(id) ? id.slice(0, -NUMBER_DIGITS) + '0'.repeat(NUMBER_DIGITS) : id

/** How many of them are shown, as of a number by itself. */
const SHOWN_DIGITS = 3

/**
 * A CheckoutRequestID as logs and findings may show it: `ws_CO_04052026210410237***678`. It ends with the payer's
 * number; what stands before is when it was made, and distinguishes it from others.
 */
export const maskCheckoutRequestId = (id: string): string =>
  `${id.slice(0, -NUMBER_DIGITS)}***${id.slice(-SHOWN_DIGITS)}`
