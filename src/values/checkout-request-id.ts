/** The digits of the payer's number that the id ends with. */
const NUMBER_DIGITS = 9

/** How many of them are shown, as of a number by itself. */
const SHOWN_DIGITS = 3

/**
 * A CheckoutRequestID as logs and findings may show it: `ws_CO_04052026210410237***678`. It ends with the payer's
 * number; what stands before is when it was made, and distinguishes it from others.
 */
export const maskCheckoutRequestId = (id: string): string =>
  `${id.slice(0, -NUMBER_DIGITS)}***${id.slice(-SHOWN_DIGITS)}`
