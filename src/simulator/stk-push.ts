import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Log } from '../runtime/log.ts'
import { maskMsisdn } from '../values/msisdn.ts'
import type { Choose } from './choose.ts'
import { SUBSCRIBER_LOCKED } from './daraja-errors.ts'
import type { Ids } from './ids.ts'
import { type Ledger, outcomeName, type Prompt } from './ledger.ts'
import { maskCallbackUrl } from './mask.ts'
import { playEndings, playEndingsNow, type Stage } from './payer.ts'
import { type Push, readPush } from './push-request.ts'
import type { Tokens } from './tokens.ts'
import { answer, refusal, type WrongReply, wrongReplyText } from './wrong-reply.ts'

export const STK_PUSH_PATH = '/mpesa/stkpush/v1/processrequest'

/** A request under way, with the id that an error answer to it has. */
type Exchange = { request: FastifyRequest; reply: FastifyReply; requestId: string }

/**
 * `POST /mpesa/stkpush/v1/processrequest`: prompts a payer. Nothing is idempotent here: every push that is not refused is a
 * prompt of its own, also when it repeats another to the byte.
 */
export const registerStkPush = (
  server: FastifyInstance,
  options: { stage: Stage; tokens: Tokens; choose: Choose; ledger: Ledger; log: Log },
): void => {
  const { stage, tokens, choose, ledger, log } = options
  const { ids, clock, wait } = stage

  const refuse = (exchange: Exchange, wrong: WrongReply): Promise<FastifyReply> => {
    ledger.totals().refused += 1
    log.warn({ requestId: exchange.requestId, answer: wrongReplyText(wrong) }, 'push refused')
    return answer({ wrong, right: {}, wait, ...exchange })
  }

  const prompt = (push: Push, choice: ReturnType<Choose['push']>): Prompt => {
    const prompted: Prompt = {
      ...push,
      ...idsFor(push, choice.behaviour.ids, ids),
      outcomes: choice.names,
      behaviour: choice.behaviour,
      chosen: choice.chosen,
      subject: choice.subject,
      promptedAt: clock(),
      result: null,
      queries: 0,
      transactions: [],
      callbacks: [],
    }
    ledger.add(prompted)
    log.info(promptLine(prompted), 'payer prompted')
    return prompted
  }

  const handle = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const exchange = { request, reply, requestId: ids.requestId() }
    ledger.totals().pushes += 1
    const caller = tokens.judge(request.headers.authorization)
    if (!caller.ok) return refuse(exchange, refusal(caller.error))
    const push = readPush(request.body, clock())
    if (!push.ok) return refuse(exchange, refusal(push.error))
    const choice = choose.push({ ...push.value, consumerKey: caller.consumerKey })
    const { answer: chosen } = choice.behaviour
    if (chosen.kind === 'refused') return refuse(exchange, chosen.wrong)
    if (choice.behaviour.locksPayer && hasOpenPrompt(ledger, push.value.phone)) {
      return refuse(exchange, refusal(SUBSCRIBER_LOCKED))
    }
    const prompted = prompt(push.value, choice)
    if (chosen.kind === 'accepted-after-callback') await playEndingsNow(stage, prompted)
    else playEndings(stage, prompted)
    const wrong = chosen.kind === 'prompted' ? chosen.wrong : null
    return answer({ wrong, right: acceptedBody(prompted), wait, ...exchange })
  }

  server.post(STK_PUSH_PATH, handle)
}

const hasOpenPrompt = (ledger: Ledger, phone: string): boolean =>
  ledger.prompts().some((prompt) => prompt.phone === phone && prompt.result === null)

const idsFor = (
  push: Push,
  form: 'modern' | 'old',
  ids: Ids,
): Pick<Prompt, 'merchantRequestId' | 'checkoutRequestId'> =>
  form === 'old'
    ? { merchantRequestId: ids.oldRequestId(), checkoutRequestId: ids.oldCheckoutRequestId() }
    : { merchantRequestId: ids.requestId(), checkoutRequestId: ids.checkoutRequestId(push.phone) }

const ACCEPTED = 'Success. Request accepted for processing'

const acceptedBody = (prompt: Prompt): Record<string, string | number> => ({
  MerchantRequestID: prompt.merchantRequestId,
  CheckoutRequestID: prompt.checkoutRequestId,
  ResponseCode: prompt.behaviour.pushCode === 'number' ? 0 : '0',
  ResponseDescription: ACCEPTED,
  CustomerMessage: ACCEPTED,
})

/** Without the CheckoutRequestID, which holds the phone number. */
const promptLine = (prompt: Prompt): Record<string, unknown> => ({
  merchantRequestId: prompt.merchantRequestId,
  phone: maskMsisdn(prompt.phone),
  amountKes: prompt.amountKes,
  outcome: outcomeName(prompt),
  callbackUrl: maskCallbackUrl(prompt.callbackUrl),
  ...(prompt.warnings.length > 0 && { warnings: prompt.warnings }),
})
