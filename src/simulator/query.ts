import { STILL_PROCESSING_RESULT } from './callback.ts'
import { checkPassword, field, type Route, readFields, SIGNED } from './calls.ts'
import type { Choose } from './choose.ts'
import type { Ledger } from './ledger.ts'
import type { Tokens } from './oauth.ts'

import { NO_SUCH_TRANSACTION, Refused, STILL_PROCESSING } from './wrong-reply.ts'

const QUERY = SIGNED.extend({ CheckoutRequestID: field((text) => text !== '') })

/** A code as the number that it is, or as it is when it is none. */
const toNumber = (code: string): number | string => (/^\d+$/.test(code) ? Number(code) : code)

/**
 * `POST /mpesa/stkpushquery/v1/query`: the latest result of the shortcode's payment; `4999` while it is open. There is
 * no receipt, amount or date in the answer, and it is all strings.
 */
export const registerQuery = (
  route: Route,
  options: { tokens: Tokens; choose: Choose; ledger: Ledger },
): void => {
  const { tokens, choose, ledger } = options
  route('POST', '/mpesa/stkpushquery/v1/query', ({ headers, body }) => {
    ledger.totals.queries += 1
    const consumerKey = tokens.consumerKeyOf(headers.authorization)
    const asked = readFields(body, QUERY)
    checkPassword(asked)
    const prompt = ledger.find(asked.CheckoutRequestID)
    if (prompt?.entry.shortcode !== asked.BusinessShortCode) throw new Refused(NO_SUCH_TRANSACTION)
    const { result, entry } = prompt
    const { fault, pending, numbersInAnswer } = choose.query(prompt, consumerKey)
    const { ResultCode: pendingCode, ResultDesc: pendingText } = STILL_PROCESSING_RESULT
    const code = String(result?.code ?? (pending === 'code' ? pendingCode : 4999))
    const right = {
      ResponseCode: numbersInAnswer ? 0 : '0',
      // Three s: Safaricom's own spelling, as recorded.
      ResponseDescription: 'The service request has been accepted successsfully',
      MerchantRequestID: entry.merchant_request_id,
      CheckoutRequestID: entry.checkout_request_id,
      ResultCode: numbersInAnswer ? toNumber(code) : code,
      ResultDesc: result?.queryDescription ?? pendingText,
    }
    return { right, wrong: fault ?? (pending === 'error' && !result ? STILL_PROCESSING : undefined) }
  })
}
