import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Clock } from '../runtime/clock.ts'
import type { Log } from '../runtime/log.ts'
import { maskMsisdn } from '../values/msisdn.ts'
import { type DarajaError, errorBody } from './daraja-errors.ts'
import type { Ids } from './ids.ts'
import type { Ledger, Prompt } from './ledger.ts'
import { maskCallbackUrl } from './mask.ts'
import { actOut, type Stage } from './misbehaviours.ts'
import type { Tokens } from './oauth.ts'
import { chooseOutcome, type Outcome } from './outcomes.ts'
import { type Push, readPush } from './push-request.ts'

export const STK_PUSH_PATH = '/mpesa/stkpush/v1/processrequest'

/**
 * `POST /mpesa/stkpush/v1/processrequest`: prompts a payer. Nothing is idempotent here: every push that is not refused is a
 * prompt of its own, also when it repeats another to the byte.
 */
export const registerStkPush = (
  server: FastifyInstance,
  options: { stage: Stage; tokens: Tokens; ledger: Ledger; ids: Ids; clock: Clock; log: Log },
): void => {
  const { stage, tokens, ledger, ids, clock, log } = options

  const refuse = (reply: FastifyReply, error: DarajaError): FastifyReply => {
    const requestId = ids.requestId()
    ledger.totals().refused += 1
    log.warn({ requestId, errorCode: error.code, errorMessage: error.message }, 'push refused')
    return reply.code(error.status).send(errorBody(error, requestId))
  }

  const prompt = (push: Push, outcome: Outcome): Prompt => {
    const prompted: Prompt = {
      ...push,
      checkoutRequestId: ids.checkoutRequestId(push.phone),
      merchantRequestId: ids.requestId(),
      outcome,
      promptedAt: clock(),
      result: null,
      callbacks: [],
    }
    ledger.add(prompted)
    log.info(promptLine(prompted), 'payer prompted')
    return prompted
  }

  const handle = (request: FastifyRequest, reply: FastifyReply): FastifyReply | Promise<FastifyReply> => {
    ledger.totals().pushes += 1
    const unauthorized = tokens.refusalFor(request.headers.authorization)
    if (unauthorized) return refuse(reply, unauthorized)
    const push = readPush(request.body, clock())
    if (!push.ok) return refuse(reply, push.error)
    const outcome = chooseOutcome(push.value.phone, push.value.amountKes)
    const { answer } = outcome
    if (answer.kind === 'refused') return refuse(reply, answer.error)
    const prompted = prompt(push.value, outcome)
    return actOut(stage, { answer, prompt: prompted, requestId: ids.requestId(), request, reply })
  }

  server.post(STK_PUSH_PATH, handle)
}

/** Without the CheckoutRequestID, which holds the phone number. */
const promptLine = (prompt: Prompt): Record<string, unknown> => ({
  merchantRequestId: prompt.merchantRequestId,
  phone: maskMsisdn(prompt.phone),
  amountKes: prompt.amountKes,
  outcome: prompt.outcome.name,
  callbackUrl: maskCallbackUrl(prompt.callbackUrl),
  ...(prompt.warnings.length > 0 && { warnings: prompt.warnings }),
})
