import type { RetryLater } from './back-off.ts'
import { type Answer, callDaraja, credentialsOf, type Daraja, readSuccess } from './call.ts'
import type { JsonObject } from './read-json.ts'
import { AMBIGUOUS, type Field, fieldOf, textOf } from './read-json.ts'
import { type Result, readResult, STILL_PROCESSING } from './read-result.ts'

/** What the query says of a prompt. */
export type QueryOutcome =
  /** Definite: `"0"` is paid. There is no receipt, amount or date in the answer. */
  | { kind: 'definite'; resultCode: string; resultDesc: string }
  /** The payer still has the prompt, or nothing was said: settles nothing. `retryLater`: Daraja did not even look. */
  | { kind: 'open'; reason: string; retryLater?: RetryLater }

/**
 * Asks Daraja what became of a prompt. Only an answer with HTTP 2xx, about this push, with a definite result is
 * definite.
 */
export const queryStk = async (daraja: Daraja, checkoutRequestId: string): Promise<QueryOutcome> => {
  const body = { ...credentialsOf(daraja), CheckoutRequestID: checkoutRequestId }
  const reply = await callDaraja(daraja, { path: '/mpesa/stkpushquery/v1/query', body, read: readFound })
  if (reply.kind === 'later') return { kind: 'open', reason: reply.code, retryLater: reply }
  if (reply.kind !== 'success') return { kind: 'open', reason: reply.kind }
  return toOutcome(reply.value, checkoutRequestId)
}

/** Asking again costs nothing, so a status that contradicts the body settles nothing. */
const readFound = (answer: Answer): JsonObject | null =>
  answer.status >= 200 && answer.status < 300 ? readSuccess(answer) : null

const toOutcome = (json: JsonObject, checkoutRequestId: string): QueryOutcome => {
  const [about, code, desc, description] = FIELDS.map((name) => fieldOf(json, name))
  if ([about, code, desc, description].includes(AMBIGUOUS)) return { kind: 'open', reason: 'a field twice' }
  if (!isAbout(about, checkoutRequestId)) return { kind: 'open', reason: 'an answer about another push' }
  const result = readResult({ code, desc })
  if (result.kind === 'unsettled') return { kind: 'open', reason: result.reason }
  const isOpen = result.kind === 'failed' && STILL_PROCESSING.test(textOf(description) ?? '')
  return isOpen ? { kind: 'open', reason: 'pending' } : toDefinite(result)
}

const FIELDS = ['CheckoutRequestID', 'ResultCode', 'ResultDesc', 'ResponseDescription']

/** An answer that names no push is about the one that was asked for. */
const isAbout = (about: Field, checkoutRequestId: string): boolean =>
  about === undefined || about === null || textOf(about)?.trim() === checkoutRequestId

const toDefinite = ({ resultCode, resultDesc }: Exclude<Result, { kind: 'unsettled' }>): QueryOutcome => ({
  kind: 'definite',
  resultCode,
  resultDesc,
})
