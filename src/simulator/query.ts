import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import { type DarajaError, errorBody, NO_SUCH_TRANSACTION } from './daraja-errors.ts'
import { field, passwordRefusal, type Read, readFields, SIGNATURE } from './fields.ts'
import type { Ids } from './ids.ts'
import type { Ledger, Prompt } from './ledger.ts'
import type { Tokens } from './oauth.ts'

export const QUERY_PATH = '/mpesa/stkpushquery/v1/query'

const QUERY = z.object({ ...SIGNATURE, CheckoutRequestID: field((text) => text !== '') })

/** Reads a query's body and finds the prompt it asks about, which must be the same shortcode's. */
const findPrompt = (bytes: unknown, ledger: Ledger): Read<Prompt> => {
  const read = readFields(bytes, QUERY)
  if (!read.ok) return read
  const wrongPassword = passwordRefusal(read.value)
  if (wrongPassword) return { ok: false, error: wrongPassword }
  const prompt = ledger.find(read.value.CheckoutRequestID)
  return prompt?.shortcode === read.value.BusinessShortCode
    ? { ok: true, value: prompt }
    : { ok: false, error: NO_SUCH_TRANSACTION }
}

/** The answer, all strings. There is no receipt, amount or date in it. */
const answerBody = (prompt: Prompt): Record<string, string> => ({
  ResponseCode: '0',
  // Three s: Safaricom's own spelling, as recorded.
  ResponseDescription: 'The service request has been accepted successsfully',
  MerchantRequestID: prompt.merchantRequestId,
  CheckoutRequestID: prompt.checkoutRequestId,
  ResultCode: String(prompt.result?.code ?? 4999),
  ResultDesc: prompt.result?.queryDescription ?? 'The transaction is still under processing',
})

/** `POST /mpesa/stkpushquery/v1/query`: the payment's latest result; `4999` while it is open. */
export const registerQuery = (
  server: FastifyInstance,
  options: { tokens: Tokens; ledger: Ledger; ids: Ids },
): void => {
  const { tokens, ledger, ids } = options
  server.post(QUERY_PATH, (request, reply) => {
    const refuse = (error: DarajaError): unknown =>
      reply.code(error.status).send(errorBody(error, ids.requestId()))
    const unauthorized = tokens.refusalFor(request.headers.authorization)
    if (unauthorized) return refuse(unauthorized)
    const prompt = findPrompt(request.body, ledger)
    return prompt.ok ? reply.send(answerBody(prompt.value)) : refuse(prompt.error)
  })
}
