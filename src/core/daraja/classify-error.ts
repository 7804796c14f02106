import { truncateText } from '../../values/outside-text.ts'
import type { Reply } from './client.ts'
import type { JsonObject } from './read-json.ts'
import { allTextOf, fieldInAnyCase, textOf } from './read-json.ts'

/** What an answer that is no success means for the request that it answers (docs/daraja.md, "Errors"). */
export type Refusal =
  /** Certain: not processed, and asking again would not help. */
  | { kind: 'refused'; code: string; message: string }
  /**
   * Certain: not processed; may be asked again after `afterMs`. `whole_account`: nothing else should be asked either
   * before then, for it was the account that was refused and not this one request.
   */
  | {
      kind: 'later'
      code: string
      message: string
      afterMs: number
      concerns: 'this_payer' | 'whole_account'
    }
  /** Certain: not processed, for the access token is not valid. */
  | { kind: 'bad_token'; code: string; message: string }
  /** It may have been processed. */
  | { kind: 'unknown'; reason: string }

/** A payer with an open prompt: Daraja asks to wait at least a minute. */
const LOCKED_SUBSCRIBER_MS = 60_000

/** How long to keep away after a rate limit or a connection that could not be made. */
const BACK_OFF_MS = 5_000

/**
 * Decides what a reply without success means, on code and message, whatever its HTTP status says beside them; on the
 * status where there is neither. Anything not known for certain is `unknown`. Pure.
 */
export const classifyError = (reply: Reply): Refusal => {
  if (reply.kind === 'not_sent') return backOff('not_sent', reply.reason, reply.waited)
  if (reply.kind === 'no_answer') return { kind: 'unknown', reason: reply.reason }
  const { json, status, text } = reply
  if (!json) return judgeStatus(status, text)
  if (contradictsItself(json))
    return { kind: 'unknown', reason: `HTTP ${status} with a success and an error` }
  const fault = fieldInAnyCase(json, 'fault')
  if (fault !== undefined) return toRefusal(judgeFault(status, readable(allTextOf(fault))))
  const code = readable(textOf(fieldInAnyCase(json, 'errorCode')))
  const message = readable(textOf(fieldInAnyCase(json, 'errorMessage')))
  return code === '' ? judgeStatus(status, text) : toRefusal(judgeCode(status, code, message))
}

/** A success beside an error: nobody knows which holds. */
const contradictsItself = (json: JsonObject): boolean =>
  [...json.members.keys()].some((name) => /^(?:responsecode|checkoutrequestid)$/i.test(name)) &&
  [...json.members.keys()].some((name) => /^(?:errorcode|fault)$/i.test(name))

type Judged = { means: ErrorMeaning; code: string; message: string }

/** HTTP 429 means a limit, and counts where the code is none that is known. */
const judgeCode = (status: number, code: string, message: string): Judged => ({
  means: meaningOf(ERROR_RULES, code, message) ?? (status === 429 ? 'throttled' : 'unknown'),
  code,
  message,
})

const judgeFault = (status: number, message: string): Judged => ({
  means: status === 429 ? 'throttled' : (meaningOf(FAULT_RULES, String(status), message) ?? 'unknown'),
  code: `fault_${status}`,
  message,
})

/** An answer whose body names no error. */
const judgeStatus = (status: number, text: string): Refusal => {
  if (status === 429) return backOff('429', 'too many requests')
  if ((status === 403 || status === 503) && /incapsula incident/i.test(text)) {
    return backOff(`edge_${status}`, 'stopped at the edge in front of Daraja')
  }
  return { kind: 'unknown', reason: `HTTP ${status} with a body that does not say what happened` }
}

const toRefusal = ({ means, code, message }: Judged): Refusal => {
  switch (means) {
    case 'refused':
    case 'bad_token':
      return { kind: means, code, message }
    case 'payer_busy':
      return { kind: 'later', code, message, afterMs: LOCKED_SUBSCRIBER_MS, concerns: 'this_payer' }
    case 'throttled':
      return backOff(code, message)
    case 'unknown':
      return { kind: 'unknown', reason: `${code} ${message}` }
    default:
      return means satisfies never
  }
}

/** A request that no connection was free for says nothing of the account. */
const backOff = (code: string, message: string, hasWaited = false): Refusal => ({
  kind: 'later',
  code,
  message,
  afterMs: BACK_OFF_MS,
  concerns: hasWaited ? 'this_payer' : 'whole_account',
})

/** Cut to what a person reads, without white space around it and with single blanks: partners and operators see it. */
const readable = (text: string | null): string =>
  truncateText((text ?? '').replaceAll(/\s+/g, ' ').trim(), MAX_TEXT)

const MAX_TEXT = 300

/** What an error of Daraja's means for the request that it answers. */
export type ErrorMeaning =
  /** Certain: not processed, and asking again would not help. */
  | 'refused'
  /** Certain: not processed, for the access token is not valid. */
  | 'bad_token'
  /** Certain: not processed, for this payer has a prompt open. */
  | 'payer_busy'
  /** Certain: not processed; the account asks too much. */
  | 'throttled'
  /** It may have been processed. */
  | 'unknown'

export type ErrorRule = { code: RegExp; text: RegExp; means: ErrorMeaning }

const ANY = /^/

const NAMES_BAD_TOKEN =
  /invalid (?:access|bearer) token|(?:access|bearer) token (?:has |is )?(?:expired|invalid)|expired access token|invalid auth(?:entication|ori[sz]ation) header/i

/** The app is not subscribed to the product. Apigee words it as a bad token too, yet no new token would help. */
const NAMES_NO_PRODUCT = /no apiproduct match found/i

/** Apigee's two limits; it says so in error codes and in faults alike. */
const NAMES_LIMIT = /spike ?arrest|quota ?violation/i

/**
 * What `errorCode` and `errorMessage` mean together, the first rule that fits both; none: unknown. Codes are compared
 * without the blanks around them, texts in any case and with single blanks (docs/daraja.md, "Errors").
 */
export const ERROR_RULES: readonly ErrorRule[] = [
  { code: ANY, text: NAMES_NO_PRODUCT, means: 'refused' },
  { code: ANY, text: NAMES_LIMIT, means: 'throttled' },
  { code: /^500\.003\.03$/, text: ANY, means: 'throttled' },
  { code: /^40[0134]\./, text: NAMES_BAD_TOKEN, means: 'bad_token' },
  { code: /^401\.|^404\.001\.0[34]$/, text: ANY, means: 'bad_token' },
  { code: /^400\.00(?:2\.02|2\.05|3\.01|3\.02)$/, text: ANY, means: 'refused' },
  { code: /^(?:404\.00[13]\.01|405\.001)$/, text: ANY, means: 'refused' },
  { code: /^500\.001\.1001$/, text: /unable to lock subscriber/i, means: 'payer_busy' },
  { code: /^500\.001\.1001$/, text: /merchant does not exist|wrong credentials/i, means: 'refused' },
  { code: /^500\./, text: ANY, means: 'unknown' },
]

/**
 * The same for Apigee's `{"fault":{…}}`, by the HTTP status. A fault that refuses comes from the edge, so nothing was
 * processed. One with another status means a failure behind the edge, such as a time-out: what happened there is not
 * known.
 */
export const FAULT_RULES: readonly ErrorRule[] = [
  { code: ANY, text: NAMES_LIMIT, means: 'throttled' },
  { code: /^4/, text: NAMES_NO_PRODUCT, means: 'refused' },
  { code: /^4/, text: NAMES_BAD_TOKEN, means: 'bad_token' },
  { code: /^401$/, text: /token/i, means: 'bad_token' },
  { code: /^401$/, text: ANY, means: 'refused' },
]

/** What the rules say of a code and a text. Pure. */
export const meaningOf = (rules: readonly ErrorRule[], code: string, text: string): ErrorMeaning | null =>
  rules.find((rule) => rule.code.test(code) && rule.text.test(text))?.means ?? null
