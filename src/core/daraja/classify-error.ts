import type { Reply } from './client.ts'

/** What an answer that is no success means for the request that it answers (docs/daraja.md, "Errors"). */
export type Refusal =
  /** Certain: not processed, and asking again would not help. */
  | { kind: 'refused'; code: string; message: string }
  /** Certain: not processed; may be asked again after `afterMs`. */
  | { kind: 'later'; code: string; message: string; afterMs: number }
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

/** Decides what a reply without success means, on code and message; anything not known for certain is `unknown`. Pure. */
export const classifyError = (reply: Reply): Refusal => {
  if (reply.kind === 'not_sent') return later('not_sent', reply.reason, BACK_OFF_MS)
  if (reply.kind === 'no_answer') return { kind: 'unknown', reason: reply.reason }
  const { json, status, text } = reply
  if (json && 'fault' in json) return classifyFault(status, JSON.stringify(json['fault']))
  const code = textOf(json?.['errorCode'])
  const message = textOf(json?.['errorMessage'])
  if (code !== '') return classifyCode(code, message)
  if (status === 429) return later('429', 'too many requests', BACK_OFF_MS)
  if ((status === 403 || status === 503) && /incapsula incident/i.test(text)) {
    return later(`edge_${status}`, 'stopped at the edge in front of Daraja', BACK_OFF_MS)
  }
  return { kind: 'unknown', reason: `HTTP ${status} with a body that does not say what happened` }
}

const classifyCode = (code: string, message: string): Refusal => {
  if (REFUSED_CODES.has(code)) return { kind: 'refused', code, message }
  if (BAD_TOKEN_CODES.has(code)) return { kind: 'bad_token', code, message }
  if (code === '500.003.02' && /spike arrest/i.test(message)) return later(code, message, BACK_OFF_MS)
  if (code === '500.003.03') return later(code, message, BACK_OFF_MS)
  if (code === '500.001.1001' && /unable to lock subscriber/i.test(message)) {
    return later(code, message, LOCKED_SUBSCRIBER_MS)
  }
  if (code === '500.001.1001' && /merchant does not exist|wrong credentials/i.test(message)) {
    return { kind: 'refused', code, message }
  }
  return { kind: 'unknown', reason: `${code} ${message}` }
}

/** An Apigee fault comes from the edge, so nothing was processed; it is a token problem when it names the token. */
const classifyFault = (status: number, fault: string): Refusal =>
  /token/i.test(fault)
    ? { kind: 'bad_token', code: `fault_${status}`, message: fault.slice(0, 200) }
    : { kind: 'refused', code: `fault_${status}`, message: fault.slice(0, 200) }

const later = (code: string, message: string, afterMs: number): Refusal => ({
  kind: 'later',
  code,
  message,
  afterMs,
})

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '')
