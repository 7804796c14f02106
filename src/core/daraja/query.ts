import type { TurnedAway } from './back-off.ts'
import { callDaraja, credentialsOf, type Daraja } from './call.ts'

/** What the query says of a prompt. */
export type QueryOutcome =
  /** Definite: `"0"` is paid. There is no receipt, amount or date in the answer. */
  | { kind: 'definite'; resultCode: string; resultDesc: string }
  /** The payer still has the prompt, or nothing was said: settles nothing. `turnedAway`: Daraja did not even look. */
  | { kind: 'open'; reason: string; turnedAway?: TurnedAway }

/** Query only: still processing. */
const PENDING_RESULT_CODE = '4999'

/** Asks Daraja what became of a prompt. Only HTTP 200 with a ResultCode other than 4999 is definite. */
export const queryStk = async (daraja: Daraja, checkoutRequestId: string): Promise<QueryOutcome> => {
  const reply = await callDaraja(daraja, '/mpesa/stkpushquery/v1/query', {
    ...credentialsOf(daraja),
    CheckoutRequestID: checkoutRequestId,
  })
  if (reply.kind === 'later') return { kind: 'open', reason: reply.code, turnedAway: reply }
  if (reply.kind !== 'success') return { kind: 'open', reason: reply.kind }
  const about = reply.json['CheckoutRequestID']
  if (typeof about === 'string' && about !== checkoutRequestId) {
    return { kind: 'open', reason: 'an answer about another push' }
  }
  const code = reply.json['ResultCode']
  const resultCode = typeof code === 'number' ? String(code) : code
  if (typeof resultCode !== 'string' || resultCode === '') return { kind: 'open', reason: 'no ResultCode' }
  if (resultCode === PENDING_RESULT_CODE) return { kind: 'open', reason: 'pending' }
  const description = reply.json['ResultDesc']
  return { kind: 'definite', resultCode, resultDesc: typeof description === 'string' ? description : '' }
}
