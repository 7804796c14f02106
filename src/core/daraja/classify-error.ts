import { cutText } from '../../values/outside-text.ts'
import type { Reply } from './client.ts'
import { ERROR_RULES, type ErrorMeaning, FAULT_RULES, meaningOf } from './error-rules.ts'
import { allTextOf, fieldInAnyCase, textOf } from './json-fields.ts'
import type { JsonObject } from './read-json.ts'

/** What an answer that is no success means for the request that it answers (docs/daraja.md, "Errors"). */
export type Refusal =
  /** Certain: not processed, and asking again would not help. */
  | { kind: 'refused'; code: string; message: string }
  /**
   * Certain: not processed; may be asked again after `afterMs`. `whole_account`: nothing else should be asked either before
   * then, for it was the account that was turned away and not this one request.
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
 * Decides what a reply without success means, on code and message, whatever its HTTP status says beside them; on the status
 * where there is neither. Anything not known for certain is `unknown`. Pure.
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

/** HTTP 429 tells of a limit, and counts where the code is none that is known. */
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
  cutText((text ?? '').replaceAll(/\s+/g, ' ').trim(), MAX_TEXT)

const MAX_TEXT = 300
