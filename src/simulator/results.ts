/**
 * How M-PESA says that a payment ended. The code decides, and need not be a number; the words differ by channel, as they do
 * upstream.
 */
export type Result = { code: number | string; callbackDescription: string; queryDescription: string }

const result = (
  code: number | string,
  callbackDescription: string,
  queryDescription = callbackDescription,
): Result => ({ code, callbackDescription, queryDescription })

export const isPaid = ({ code }: Result): boolean => code === 0

export const PAID = result(0, 'The service request is processed successfully.')
export const INSUFFICIENT_FUNDS = result(1, 'The balance is insufficient for the transaction.')
export const CANCELLED = result(1032, 'Request cancelled by user')
// Recorded: one payment's callback and query used these two wordings.
export const TIMED_OUT = result(1037, 'No response from user.', 'DS timeout user cannot be reached.')
export const WRONG_PIN = result(2001, 'The initiator information is invalid.')

/** The rarer codes of Daraja's table, each with the name of the outcome that ends in it. The words are not recorded. */
export const RARE_RESULTS: readonly { name: string; result: Result }[] = [
  { name: 'below-minimum', result: result(2, 'Declined due to limit rule: less than the minimum amount.') },
  {
    name: 'above-maximum',
    result: result(3, 'Declined due to limit rule: greater than the maximum amount.'),
  },
  { name: 'daily-limit', result: result(4, 'Declined due to limit rule: would exceed daily limit.') },
  {
    name: 'balance-limit',
    result: result(8, 'Declined due to limit rule: would exceed the maximum balance.'),
  },
  {
    name: 'same-amount-again',
    result: result(17, 'The same amount to the same receiver within two minutes.'),
  },
  { name: 'traffic-blocked', result: result(26, 'System busy. Traffic blocking condition in place.') },
  { name: 'session-open', result: result(1001, 'Unable to lock subscriber.') },
  { name: 'expired', result: result(1019, 'Transaction has expired.') },
  { name: 'prompt-not-sent', result: result(1025, 'An error occurred while sending a push request.') },
  { name: 'cancelled-otherwise', result: result(1031, 'Request cancelled by user') },
  { name: 'prompt-undelivered', result: result(1036, 'SMSC ACK timeout.') },
  {
    name: 'not-permitted',
    result: result(2028, 'The request is not permitted according to product assignment.'),
  },
  { name: 'credential-locked', result: result(8006, 'The security credential is locked.') },
  { name: 'push-request-error', result: result(9999, 'An error occurred while sending a push request.') },
  { name: 'bad-debt', result: result('E3008', 'Bad debt contract.') },
  { name: 'no-such-operator', result: result('SFC_IC0003', 'The operator does not exist.') },
  { name: 'code-in-no-table', result: result(7777, 'A result that no table knows.') },
]
