import { cutText } from '../../values/outside-text.ts'
import type { Reply } from './client.ts'

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

const REFUSED_CODES = new Set([
  '400.002.02',
  '400.002.05',
  '400.003.01',
  '400.003.02',
  '404.001.01',
  '404.003.01',
  '405.001',
])

const BAD_TOKEN_CODES = new Set(['404.001.03', '404.001.04'])

/** The app is not subscribed to the product. Apigee words it as a bad token, yet no new token would help. */
const NO_PRODUCT = /no apiproduct match found/i

/** Apigee's two limits; it says so in error codes and in faults alike. */
const RATE_LIMIT = /spike ?arrest|quota ?violation/i

/** Decides what a reply without success means, on code and message; anything not known for certain is `unknown`. Pure. */
export const classifyError = (reply: Reply): Refusal => {
  if (reply.kind === 'not_sent') return backOff('not_sent', reply.reason)
  if (reply.kind === 'no_answer') return { kind: 'unknown', reason: reply.reason }
  const { json, status, text } = reply
  const code = textOf(json?.['errorCode'])
  const message = textOf(json?.['errorMessage'])
  if (status === 429) return backOff(code || '429', message || 'too many requests')
  if (json && 'fault' in json) return classifyFault(status, JSON.stringify(json['fault']))
  if (code !== '') return classifyCode(code, message)
  if ((status === 403 || status === 503) && /incapsula incident/i.test(text)) {
    return backOff(`edge_${status}`, 'stopped at the edge in front of Daraja')
  }
  return { kind: 'unknown', reason: `HTTP ${status} with a body that does not say what happened` }
}

const classifyCode = (code: string, message: string): Refusal => {
  if (REFUSED_CODES.has(code) || NO_PRODUCT.test(message)) return { kind: 'refused', code, message }
  if (BAD_TOKEN_CODES.has(code)) return { kind: 'bad_token', code, message }
  if (code === '500.003.02' && RATE_LIMIT.test(message)) return backOff(code, message)
  if (code === '500.003.03') return backOff(code, message)
  if (code === '500.001.1001' && /unable to lock subscriber/i.test(message)) {
    return { kind: 'later', code, message, afterMs: LOCKED_SUBSCRIBER_MS, concerns: 'this_payer' }
  }
  if (code === '500.001.1001' && /merchant does not exist|wrong credentials/i.test(message)) {
    return { kind: 'refused', code, message }
  }
  return { kind: 'unknown', reason: `${code} ${message}` }
}

/**
 * An Apigee fault that refuses comes from the edge, so nothing was processed; it is a token problem when it names the token.
 * A fault with another status tells of trouble behind the edge, such as a time-out: what happened there is not known.
 */
const classifyFault = (status: number, fault: string): Refusal => {
  const [code, message] = [`fault_${status}`, cutText(fault, MAX_TEXT)]
  if (RATE_LIMIT.test(fault)) return backOff(code, message)
  if (status !== 401) return { kind: 'unknown', reason: `${code} ${message}` }
  if (NO_PRODUCT.test(fault)) return { kind: 'refused', code, message }
  return { kind: /token/i.test(fault) ? 'bad_token' : 'refused', code, message }
}

const backOff = (code: string, message: string): Refusal => ({
  kind: 'later',
  code,
  message,
  afterMs: BACK_OFF_MS,
  concerns: 'whole_account',
})

/** Cut to what a person reads: partners and operators see codes and messages. */
const textOf = (value: unknown): string => (typeof value === 'string' ? cutText(value, MAX_TEXT) : '')

const MAX_TEXT = 300
