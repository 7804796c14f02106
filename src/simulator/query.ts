import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import { STILL_PROCESSING_RESULT } from './callback-body.ts'
import type { Choice, Choose } from './choose.ts'
import { type DarajaError, errorBody, NO_SUCH_TRANSACTION, STILL_PROCESSING } from './daraja-errors.ts'
import { field, passwordRefusal, type Read, readFields, SIGNATURE } from './fields.ts'
import type { Ids } from './ids.ts'
import type { Ledger, Prompt } from './ledger.ts'
import type { Wait } from './timers.ts'
import type { Tokens } from './tokens.ts'
import { answer, refusal, type WrongReply } from './wrong-reply.ts'

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

type Answer = Record<string, string | number>

/** The answer, all strings. There is no receipt, amount or date in it. */
const answerBody = (prompt: Prompt): Answer => ({
  ResponseCode: '0',
  // Three s: Safaricom's own spelling, as recorded.
  ResponseDescription: 'The service request has been accepted successsfully',
  MerchantRequestID: prompt.merchantRequestId,
  CheckoutRequestID: prompt.checkoutRequestId,
  ResultCode: String(prompt.result?.code ?? 4999),
  ResultDesc: prompt.result?.queryDescription ?? 'The transaction is still under processing',
})

/** The same as the behaviour spells it. */
const spell = (body: Answer, { behaviour }: Choice, prompt: Prompt): Answer => {
  const isOpen = prompt.result === null
  const said = { ...body, ...(isOpen && behaviour.pending === 'other-code' && PENDING_UNDER_A_CODE) }
  return behaviour.queryCodes === 'strings' ? said : { ...said, ...inNumbers(said) }
}

const PENDING_UNDER_A_CODE = {
  ...STILL_PROCESSING_RESULT,
  ResultCode: String(STILL_PROCESSING_RESULT.ResultCode),
}

/** The codes that are numeric as numbers. */
const inNumbers = ({ ResponseCode = '', ResultCode = '' }: Answer): Answer => ({
  ResponseCode: Number(ResponseCode),
  ResultCode: /^\d+$/.test(String(ResultCode)) ? Number(ResultCode) : ResultCode,
})

const faultOf = ({ behaviour }: Choice, prompt: Prompt): WrongReply | null => {
  if (behaviour.queryFault) return behaviour.queryFault
  return behaviour.pending === 'error' && prompt.result === null ? refusal(STILL_PROCESSING) : null
}

/** `POST /mpesa/stkpushquery/v1/query`: the payment's latest result; `4999` while it is open. */
export const registerQuery = (
  server: FastifyInstance,
  options: { tokens: Tokens; choose: Choose; ledger: Ledger; ids: Ids; wait: Wait },
): void => {
  const { tokens, choose, ledger, ids, wait } = options
  server.post(QUERY_PATH, (request, reply) => {
    const requestId = ids.requestId()
    const refuse = (error: DarajaError): unknown => reply.code(error.status).send(errorBody(error, requestId))
    ledger.totals().queries += 1
    const caller = tokens.judge(request.headers.authorization)
    if (!caller.ok) return refuse(caller.error)
    const prompt = findPrompt(request.body, ledger)
    if (!prompt.ok) return refuse(prompt.error)
    const choice = choose.query(prompt.value, caller.consumerKey)
    const wrong = faultOf(choice, prompt.value)
    const right = spell(answerBody(prompt.value), choice, prompt.value)
    return answer({ wrong, right, requestId, wait, request, reply })
  })
}
