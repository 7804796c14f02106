import type { WrongReply } from './wrong-reply.ts'
import * as wrong from './wrong-reply.ts'

/**
 * How M-PESA says that a payment ended. The code decides, and need not be a number; the words differ by channel, as
 * they do upstream.
 */
export type Result = { code: number | string; callbackDescription: string; queryDescription: string }

/**
 * From `afterDelays` callback delays after the prompt on, the query answers with `result`, and its callback goes out.
 */
export type Ending = { afterDelays: number; result: Result }

/** What a call gets wrong, or does in an unusual form; `{}`: the payment is paid, in the forms of 2026. */
export type Behaviour = {
  /** The answer to the push, when it is not the right one at once; whether the payer is prompted all the same. */
  answer?: { wrong: WrongReply; prompted: boolean } | 'after-callback'
  /** The answer to a query, a request for a token or a pull, when it is not the right one. */
  fault?: WrongReply
  /** Whether a push is refused while its payer has another prompt open. */
  locksPayer?: true
  /** The ids of before 2022. */
  oldIds?: true
  /** Codes, and `expires_in`, are numbers in the answer, not strings. */
  numbersInAnswer?: true
  /** In the order of time, in the place of being paid after one delay; none: the payment stays open for ever. */
  endings?: readonly Ending[]
  /** How often the callback of each ending is posted, all at once with the same bytes, in the place of once. */
  callbackTimes?: 0 | 2
  /** How many delays after an ending its callback is posted. */
  callbackLateBy?: number
  /** Money in a callback is `1.00`, and there is a `Balance`. */
  items?: 'balance' | 'empty-balance'
  stringsInCallback?: true
  phoneForm?: 'masked' | 'hashed'
  /** A paid callback and Pull Transactions report one shilling more than was asked for. */
  paysOneMore?: true
  /** The metadata of a callback that reports a failure. */
  failureItems?: 'empty' | 'filled'
  /** A callback says something else, or nothing that can be taken for sure. */
  spelling?: 'odd-items' | 'odd-code' | 'code-twice' | 'byte-order-mark' | 'still-processing'
  /** How the query says that a payment is open: `code` is that of an ending, with a text that says it is none. */
  pending?: 'error' | 'code'
  /** A new token ends those that its consumer key had before. */
  endsEarlierTokens?: true
  pullRows?: 'flat'
  secondRegistration?: WrongReply
  /** Every offset gives the first page. */
  offsetStandsStill?: true
}

/** A call that can misbehave; `push` stands for the push and all that comes of it, but for the query. */
export type Call = 'push' | 'query' | 'token' | 'pull'

/** A row of the table: its name, what chooses it, and what it does. */
export type Outcome = {
  name: string
  call: Call
  phones: readonly string[]
  amountKes: number | null
  does: Behaviour
}

const result = (
  code: number | string,
  callbackDescription: string,
  queryDescription = callbackDescription,
): Result => ({ code, callbackDescription, queryDescription })

const PAID = result(0, 'The service request is processed successfully.')
const CANCELLED = result(1032, 'Request cancelled by user')
// Recorded: one payment's callback and query used these two wordings.
export const TIMED_OUT = result(1037, 'No response from user.', 'DS timeout user cannot be reached.')

/** An ending after one delay, or after so many. */
const ends = (result: Result, afterDelays = 1): Ending => ({ afterDelays, result })

/** How a payment ends that chooses nothing else. */
export const PAID_ENDINGS: readonly Ending[] = [ends(PAID)]

/** A row under its number, which ends both the phone number and the amount that choose it. */
const row = (number: number, name: string, does: Behaviour, call: Call = 'push'): Outcome => ({
  name,
  call,
  phones: [`254700000${String(number).padStart(3, '0')}`],
  amountKes: 249_000 + number,
  does,
})

/** The payment ends after one delay with a result of its own. */
const ended = (number: number, name: string, code: number | string, description: string): Outcome =>
  row(number, name, { endings: [ends(result(code, description))] })

/** The push is answered wrongly, and the payer is not prompted. */
const refused = (number: number, name: string, wrong: WrongReply): Outcome =>
  row(number, name, { answer: { wrong, prompted: false } })

/** The push is answered wrongly, yet the payer is prompted. */
const prompted = (number: number, name: string, wrong: WrongReply): Outcome =>
  row(number, name, { answer: { wrong, prompted: true } })

/** A row that no payment chooses, for its call knows none. */
const called = (call: Call, name: string, does: Behaviour): Outcome => ({
  name,
  call,
  phones: [],
  amountKes: null,
  does,
})

/** Chosen first it stands for all: nothing else happens to this payment's push or callback. */
export const PAID_OUTCOME: Outcome = {
  name: 'paid',
  call: 'push',
  // The second is the payer of Safaricom's own sandbox, which many examples use.
  phones: ['254700000000', '254708374149'],
  amountKes: null,
  does: {},
}

/**
 * The outcomes that a partner rehearses: 0x the payment ends and one callback says how, 1x the push is refused and
 * nobody is prompted, 2x the callback misbehaves, 3x the answer to the push misbehaves.
 */
export const USUAL_OUTCOMES: readonly Outcome[] = [
  PAID_OUTCOME,
  ended(1, 'insufficient-funds', 1, 'The balance is insufficient for the transaction.'),
  row(2, 'cancelled', { endings: [ends(CANCELLED)] }),
  row(3, 'timeout', { endings: [ends(TIMED_OUT)] }),
  ended(4, 'wrong-pin', 2001, 'The initiator information is invalid.'),
  refused(11, 'refused', wrong.invalidField('PhoneNumber')),
  refused(12, 'subscriber-locked', wrong.SUBSCRIBER_LOCKED),
  row(21, 'slow', { endings: [ends(PAID, 20)] }),
  row(22, 'never-calls-back', { callbackTimes: 0 }),
  row(23, 'never-calls-back-timeout', { endings: [ends(TIMED_OUT)], callbackTimes: 0 }),
  row(24, 'calls-back-twice', { callbackTimes: 2 }),
  row(25, 'late-success', { endings: [ends(TIMED_OUT), ends(PAID, 5)] }),
  row(31, 'callback-before-reply', { answer: 'after-callback', endings: [ends(PAID, 0)] }),
  prompted(32, 'slow-reply', wrong.LATE),
  prompted(33, 'error-after-prompt', wrong.INTERNAL_SERVER_ERROR),
  prompted(34, 'cut-after-prompt', wrong.CUT),
]

/**
 * What partners rarely meet and the gateway must survive. Words of results are not recorded: daraja.md knows the codes.
 */
const RARE_OUTCOMES: readonly Outcome[] = [
  // 1xx: the payment ends in a way of its own.
  ended(101, 'below-minimum', 2, 'Declined due to limit rule: less than the minimum amount.'),
  ended(102, 'above-maximum', 3, 'Declined due to limit rule: greater than the maximum amount.'),
  ended(103, 'daily-limit', 4, 'Declined due to limit rule: would exceed daily limit.'),
  ended(104, 'balance-limit', 8, 'Declined due to limit rule: would exceed the maximum balance.'),
  ended(105, 'same-amount-again', 17, 'The same amount to the same receiver within two minutes.'),
  ended(106, 'traffic-blocked', 26, 'System busy. Traffic blocking condition in place.'),
  ended(107, 'session-open', 1001, 'Unable to lock subscriber.'),
  ended(108, 'expired', 1019, 'Transaction has expired.'),
  ended(109, 'prompt-not-sent', 1025, 'An error occurred while sending a push request.'),
  ended(110, 'cancelled-otherwise', 1031, 'Request cancelled by user'),
  ended(111, 'prompt-undelivered', 1036, 'SMSC ACK timeout.'),
  ended(112, 'not-permitted', 2028, 'The request is not permitted according to product assignment.'),
  ended(113, 'credential-locked', 8006, 'The security credential is locked.'),
  ended(114, 'push-request-error', 9999, 'An error occurred while sending a push request.'),
  ended(115, 'bad-debt', 'E3008', 'Bad debt contract.'),
  ended(116, 'no-such-operator', 'SFC_IC0003', 'The operator does not exist.'),
  ended(117, 'code-in-no-table', 7777, 'A result that no table knows.'),
  row(120, 'never-ends', { endings: [] }),
  row(121, 'failure-after-success', { endings: [ends(PAID), ends(TIMED_OUT, 5)] }),
  row(122, 'two-successes', { endings: [ends(PAID), ends(PAID, 5)] }),

  // 2xx: the answer to the push, from 250 on after the prompt.
  refused(201, 'push-invalid-token', wrong.INVALID_ACCESS_TOKEN),
  refused(202, 'push-invalid-header', wrong.INVALID_AUTHENTICATION_HEADER),
  refused(203, 'push-token-fault', wrong.TOKEN_FAULT),
  refused(204, 'push-invalid-payload', wrong.INVALID_PAYLOAD),
  refused(205, 'push-invalid-shortcode', wrong.INVALID_SHORTCODE),
  refused(206, 'push-invalid-request', wrong.INVALID_REQUEST),
  refused(207, 'push-not-found', wrong.RESOURCE_NOT_FOUND),
  refused(208, 'push-no-product', wrong.NO_PRODUCT),
  refused(209, 'push-wrong-method', wrong.METHOD_NOT_ALLOWED),
  refused(210, 'push-unknown-merchant', wrong.UNKNOWN_MERCHANT),
  refused(211, 'push-wrong-credentials', wrong.WRONG_CREDENTIALS),
  refused(212, 'push-spike-arrest', wrong.SPIKE_ARREST),
  refused(213, 'push-quota', wrong.QUOTA_VIOLATION),
  refused(214, 'push-system-busy', wrong.SYSTEM_BUSY),
  refused(215, 'push-internal-error', wrong.INTERNAL_SERVER_ERROR),
  refused(216, 'push-html-403', wrong.edgePage(403)),
  refused(217, 'push-html-503', wrong.edgePage(503)),
  refused(218, 'push-empty-body', wrong.emptyPage(500)),
  refused(219, 'push-cut', wrong.CUT),
  refused(220, 'push-silence', wrong.SILENCE),
  refused(221, 'push-key-fault', wrong.KEY_FAULT),
  refused(222, 'push-token-as-400', wrong.INVALID_TOKEN_AS_400),
  refused(223, 'push-token-as-401', wrong.INVALID_TOKEN_AS_401),
  prompted(251, 'system-busy-after-prompt', wrong.SYSTEM_BUSY),
  prompted(252, 'html-504-after-prompt', wrong.GATEWAY_TIMEOUT),
  prompted(253, 'empty-body-after-prompt', wrong.emptyPage(200)),
  prompted(254, 'empty-error-after-prompt', wrong.emptyPage(500)),
  prompted(255, 'half-a-body-after-prompt', wrong.HALF),
  prompted(256, 'cut-midway-after-prompt', wrong.CUT_MIDWAY),
  prompted(257, 'silence-after-prompt', wrong.SILENCE),
  prompted(258, 'accepted-as-500-after-prompt', wrong.rightUnder(500)),
  row(261, 'old-ids', { oldIds: true }),
  row(262, 'one-prompt-a-payer', { locksPayer: true }),
  row(263, 'accepted-with-a-number', { numbersInAnswer: true }),

  // 3xx: the callback, where it is and what it holds.
  row(301, 'calls-back-late', { callbackLateBy: 20 }),
  row(302, 'callback-with-balance', { items: 'balance' }),
  row(303, 'callback-with-empty-balance', { items: 'empty-balance' }),
  row(304, 'callback-in-strings', { stringsInCallback: true }),
  row(305, 'masked-phone', { phoneForm: 'masked' }),
  row(306, 'hashed-phone', { phoneForm: 'hashed' }),
  row(307, 'other-amount', { paysOneMore: true }),
  row(308, 'failure-with-empty-items', { failureItems: 'empty', endings: [ends(CANCELLED)] }),
  row(309, 'failure-with-items', { failureItems: 'filled', endings: [ends(CANCELLED)] }),
  row(310, 'callback-with-odd-items', { spelling: 'odd-items' }),
  row(311, 'callback-with-odd-code', { spelling: 'odd-code' }),
  row(312, 'callback-with-code-twice', { spelling: 'code-twice' }),
  row(313, 'callback-after-byte-order-mark', { spelling: 'byte-order-mark' }),
  row(314, 'callback-still-processing', { spelling: 'still-processing' }),

  // 4xx: the query.
  row(401, 'query-no-answer', { fault: wrong.NO_ANSWER }, 'query'),
  row(402, 'query-denies', { fault: wrong.NO_SUCH_TRANSACTION }, 'query'),
  row(403, 'query-invalid-token', { fault: wrong.INVALID_ACCESS_TOKEN }, 'query'),
  row(404, 'query-spike-arrest', { fault: wrong.SPIKE_ARREST }, 'query'),
  row(405, 'query-quota', { fault: wrong.QUOTA_VIOLATION }, 'query'),
  row(406, 'query-system-busy', { fault: wrong.SYSTEM_BUSY }, 'query'),
  row(407, 'query-html-403', { fault: wrong.edgePage(403) }, 'query'),
  row(408, 'query-html-503', { fault: wrong.edgePage(503) }, 'query'),
  row(409, 'query-empty-body', { fault: wrong.emptyPage(200) }, 'query'),
  row(410, 'query-half-a-body', { fault: wrong.HALF }, 'query'),
  row(411, 'query-cut', { fault: wrong.CUT }, 'query'),
  row(412, 'query-silence', { fault: wrong.SILENCE }, 'query'),
  row(413, 'query-late', { fault: wrong.LATE }, 'query'),
  row(414, 'query-token-as-400', { fault: wrong.INVALID_TOKEN_AS_400 }, 'query'),
  row(415, 'query-token-as-401', { fault: wrong.INVALID_TOKEN_AS_401 }, 'query'),
  row(416, 'query-as-500', { fault: wrong.rightUnder(500) }, 'query'),
  row(421, 'query-pending-as-error', { pending: 'error' }, 'query'),
  row(422, 'query-pending-under-a-code', { pending: 'code' }, 'query'),
  row(423, 'query-in-numbers', { numbersInAnswer: true }, 'query'),

  // The calls that belong to no payment.
  called('token', 'tokens-end-earlier-ones', { endsEarlierTokens: true }),
  called('token', 'token-expires-in-a-number', { numbersInAnswer: true }),
  called('token', 'token-invalid-credentials', { fault: wrong.INVALID_AUTHENTICATION }),
  called('token', 'token-empty-body', { fault: wrong.emptyPage(400) }),
  called('token', 'token-html-403', { fault: wrong.edgePage(403) }),
  called('token', 'token-html-503', { fault: wrong.edgePage(503) }),
  called('token', 'token-spike-arrest', { fault: wrong.SPIKE_ARREST }),
  called('token', 'token-system-busy', { fault: wrong.SYSTEM_BUSY }),
  called('token', 'token-cut', { fault: wrong.CUT }),
  called('token', 'token-silence', { fault: wrong.SILENCE }),
  called('token', 'token-late', { fault: wrong.LATE }),
  called('pull', 'pull-offset-stands-still', { offsetStandsStill: true }),
  called('pull', 'pull-flat-rows', { pullRows: 'flat' }),
  called('pull', 'pull-registered-as-400', { secondRegistration: wrong.rightUnder(400) }),
  called('pull', 'pull-registered-as-error', { secondRegistration: wrong.ALREADY_REGISTERED }),
  called('pull', 'pull-invalid-token', { fault: wrong.INVALID_ACCESS_TOKEN }),
  called('pull', 'pull-spike-arrest', { fault: wrong.SPIKE_ARREST }),
  called('pull', 'pull-internal-error', { fault: wrong.INTERNAL_SERVER_ERROR }),
  called('pull', 'pull-html-503', { fault: wrong.edgePage(503) }),
  called('pull', 'pull-empty-body', { fault: wrong.emptyPage(200) }),
  called('pull', 'pull-half-a-body', { fault: wrong.HALF }),
  called('pull', 'pull-cut', { fault: wrong.CUT }),
  called('pull', 'pull-silence', { fault: wrong.SILENCE }),
  called('pull', 'pull-late', { fault: wrong.LATE }),
  called('pull', 'pull-token-as-400', { fault: wrong.INVALID_TOKEN_AS_400 }),
  called('pull', 'pull-token-as-401', { fault: wrong.INVALID_TOKEN_AS_401 }),
]

/** Every outcome. Where several are drawn that exclude each other, the one that stands first here happens. */
export const OUTCOMES: readonly Outcome[] = [...USUAL_OUTCOMES, ...RARE_OUTCOMES]
