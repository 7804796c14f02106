import type { PushAnswer } from './behaviour.ts'
import {
  INTERNAL_SERVER_ERROR,
  INVALID_ACCESS_TOKEN,
  INVALID_AUTHENTICATION,
  INVALID_AUTHENTICATION_HEADER,
  INVALID_PAYLOAD,
  INVALID_REQUEST,
  INVALID_SHORTCODE,
  INVALID_TOKEN_AS_400,
  INVALID_TOKEN_AS_401,
  METHOD_NOT_ALLOWED,
  NO_ANSWER,
  NO_PRODUCT,
  NO_SUCH_TRANSACTION,
  QUOTA_VIOLATION,
  RESOURCE_NOT_FOUND,
  SPIKE_ARREST,
  SYSTEM_BUSY,
  UNKNOWN_MERCHANT,
  WRONG_CREDENTIALS,
} from './daraja-errors.ts'
import { type Call, ends, numbered, type Outcome } from './outcome.ts'
import { CANCELLED, PAID, RARE_RESULTS, TIMED_OUT } from './results.ts'
import {
  EDGE_FORBIDDEN,
  EDGE_UNAVAILABLE,
  emptyPage,
  GATEWAY_TIMEOUT,
  KEY_FAULT,
  refusal,
  TOKEN_FAULT,
  type WrongReply,
} from './wrong-reply.ts'

type Named = readonly (readonly [name: string, wrong: WrongReply])[]

const LATE: WrongReply = { kind: 'late', afterDelays: 20 }

/** 1xx: the payment ends in a way of its own. */
const ENDINGS: readonly Outcome[] = [
  ...RARE_RESULTS.map(({ name, result }, index) => numbered(101 + index, name, { endings: [ends(result)] })),
  numbered(120, 'never-ends', { endings: [] }),
  numbered(121, 'failure-after-success', { endings: [ends(PAID), ends(TIMED_OUT, 5)] }),
  numbered(122, 'two-successes', { endings: [ends(PAID), ends(PAID, 5)] }),
]

const BEFORE_THE_PROMPT: Named = [
  ['push-invalid-token', refusal(INVALID_ACCESS_TOKEN)],
  ['push-invalid-header', refusal(INVALID_AUTHENTICATION_HEADER)],
  ['push-token-fault', TOKEN_FAULT],
  ['push-invalid-payload', refusal(INVALID_PAYLOAD)],
  ['push-invalid-shortcode', refusal(INVALID_SHORTCODE)],
  ['push-invalid-request', refusal(INVALID_REQUEST)],
  ['push-not-found', refusal(RESOURCE_NOT_FOUND)],
  ['push-no-product', refusal(NO_PRODUCT)],
  ['push-wrong-method', refusal(METHOD_NOT_ALLOWED)],
  ['push-unknown-merchant', refusal(UNKNOWN_MERCHANT)],
  ['push-wrong-credentials', refusal(WRONG_CREDENTIALS)],
  ['push-spike-arrest', refusal(SPIKE_ARREST)],
  ['push-quota', refusal(QUOTA_VIOLATION)],
  ['push-system-busy', refusal(SYSTEM_BUSY)],
  ['push-internal-error', refusal(INTERNAL_SERVER_ERROR)],
  ['push-html-403', EDGE_FORBIDDEN],
  ['push-html-503', EDGE_UNAVAILABLE],
  ['push-empty-body', emptyPage(500)],
  ['push-cut', { kind: 'cut' }],
  ['push-silence', { kind: 'silence' }],
  ['push-key-fault', KEY_FAULT],
  ['push-token-as-400', refusal(INVALID_TOKEN_AS_400)],
  ['push-token-as-401', refusal(INVALID_TOKEN_AS_401)],
]

const AFTER_THE_PROMPT: Named = [
  ['system-busy-after-prompt', refusal(SYSTEM_BUSY)],
  ['html-504-after-prompt', GATEWAY_TIMEOUT],
  ['empty-body-after-prompt', emptyPage(200)],
  ['empty-error-after-prompt', emptyPage(500)],
  ['half-a-body-after-prompt', { kind: 'half' }],
  ['cut-midway-after-prompt', { kind: 'cut-midway' }],
  ['silence-after-prompt', { kind: 'silence' }],
  ['accepted-as-500-after-prompt', { kind: 'status', status: 500 }],
]

const numberedAnswers = (first: number, kind: 'refused' | 'prompted', named: Named): Outcome[] =>
  named.map(([name, wrong], index) => {
    const answer: PushAnswer = { kind, wrong }
    return numbered(first + index, name, { answer })
  })

/** 2xx: the answer to the push, from 250 on after the prompt. */
const ANSWERS: readonly Outcome[] = [
  ...numberedAnswers(201, 'refused', BEFORE_THE_PROMPT),
  ...numberedAnswers(251, 'prompted', AFTER_THE_PROMPT),
  numbered(261, 'old-ids', { ids: 'old' }),
  numbered(262, 'one-prompt-a-payer', { locksPayer: true }),
  numbered(263, 'accepted-with-a-number', { pushCode: 'number' }),
]

/** 3xx: the callback, where it is and what it holds. */
const CALLBACKS: readonly Outcome[] = [
  numbered(301, 'calls-back-late', { callbackLateBy: 20 }),
  numbered(302, 'callback-with-balance', { items: 'balance' }),
  numbered(303, 'callback-with-empty-balance', { items: 'empty-balance' }),
  numbered(304, 'callback-in-strings', { numbers: 'strings' }),
  numbered(305, 'masked-phone', { phoneForm: 'masked' }),
  numbered(306, 'hashed-phone', { phoneForm: 'hashed' }),
  numbered(307, 'other-amount', { paidAmount: 'one-more' }),
  numbered(308, 'failure-with-empty-items', { failureItems: 'empty', endings: [ends(CANCELLED)] }),
  numbered(309, 'failure-with-items', { failureItems: 'filled', endings: [ends(CANCELLED)] }),
  numbered(310, 'callback-with-odd-items', { spelling: 'odd-items' }),
  numbered(311, 'callback-with-odd-code', { spelling: 'odd-code' }),
  numbered(312, 'callback-with-code-twice', { spelling: 'code-twice' }),
  numbered(313, 'callback-after-byte-order-mark', { spelling: 'byte-order-mark' }),
  numbered(314, 'callback-still-processing', { spelling: 'still-processing' }),
]

const ON_THE_QUERY: Named = [
  ['query-no-answer', refusal(NO_ANSWER)],
  ['query-denies', refusal(NO_SUCH_TRANSACTION)],
  ['query-invalid-token', refusal(INVALID_ACCESS_TOKEN)],
  ['query-spike-arrest', refusal(SPIKE_ARREST)],
  ['query-quota', refusal(QUOTA_VIOLATION)],
  ['query-system-busy', refusal(SYSTEM_BUSY)],
  ['query-html-403', EDGE_FORBIDDEN],
  ['query-html-503', EDGE_UNAVAILABLE],
  ['query-empty-body', emptyPage(200)],
  ['query-half-a-body', { kind: 'half' }],
  ['query-cut', { kind: 'cut' }],
  ['query-silence', { kind: 'silence' }],
  ['query-late', LATE],
  ['query-token-as-400', refusal(INVALID_TOKEN_AS_400)],
  ['query-token-as-401', refusal(INVALID_TOKEN_AS_401)],
  ['query-as-500', { kind: 'status', status: 500 }],
]

/** 4xx: the query. */
const QUERIES: readonly Outcome[] = [
  ...ON_THE_QUERY.map(([name, wrong], index) => numbered(401 + index, name, { queryFault: wrong }, 'query')),
  numbered(421, 'query-pending-as-error', { pending: 'error' }, 'query'),
  numbered(422, 'query-pending-under-a-code', { pending: 'other-code' }, 'query'),
  numbered(423, 'query-in-numbers', { queryCodes: 'numbers' }, 'query'),
]

/** A row that no payment chooses, for its call knows none. */
const unnumbered = (name: string, call: Call, does: Outcome['does']): Outcome => ({
  name,
  call,
  phones: [],
  amountsKes: [],
  does,
})

const ON_TOKENS: Named = [
  ['token-invalid-credentials', refusal(INVALID_AUTHENTICATION)],
  ['token-empty-body', emptyPage(400)],
  ['token-html-403', EDGE_FORBIDDEN],
  ['token-html-503', EDGE_UNAVAILABLE],
  ['token-spike-arrest', refusal(SPIKE_ARREST)],
  ['token-system-busy', refusal(SYSTEM_BUSY)],
  ['token-cut', { kind: 'cut' }],
  ['token-silence', { kind: 'silence' }],
  ['token-late', LATE],
]

const ON_PULLS: Named = [
  ['pull-invalid-token', refusal(INVALID_ACCESS_TOKEN)],
  ['pull-spike-arrest', refusal(SPIKE_ARREST)],
  ['pull-internal-error', refusal(INTERNAL_SERVER_ERROR)],
  ['pull-html-503', EDGE_UNAVAILABLE],
  ['pull-empty-body', emptyPage(200)],
  ['pull-half-a-body', { kind: 'half' }],
  ['pull-cut', { kind: 'cut' }],
  ['pull-silence', { kind: 'silence' }],
  ['pull-late', LATE],
  ['pull-token-as-400', refusal(INVALID_TOKEN_AS_400)],
  ['pull-token-as-401', refusal(INVALID_TOKEN_AS_401)],
]

const TOKENS: readonly Outcome[] = [
  unnumbered('tokens-end-earlier-ones', 'token', { endsEarlierTokens: true }),
  unnumbered('token-expires-in-a-number', 'token', { expiresIn: 'number' }),
  ...ON_TOKENS.map(([name, wrong]) => unnumbered(name, 'token', { tokenFault: wrong })),
]

const PULLS: readonly Outcome[] = [
  unnumbered('pull-offset-stands-still', 'pull', { pullOffset: 'stands-still' }),
  unnumbered('pull-flat-rows', 'pull', { pullRows: 'flat' }),
  unnumbered('pull-registered-as-400', 'pull', { pullRegistered: 'http-400' }),
  unnumbered('pull-registered-as-error', 'pull', { pullRegistered: 'error' }),
  ...ON_PULLS.map(([name, wrong]) => unnumbered(name, 'pull', { pullFault: wrong })),
]

/** The outcomes that a partner rarely meets and the gateway must survive. */
export const RARE_OUTCOMES: readonly Outcome[] = [
  ...ENDINGS,
  ...ANSWERS,
  ...CALLBACKS,
  ...QUERIES,
  ...TOKENS,
  ...PULLS,
]
