import type { FastifyReply, FastifyRequest } from 'fastify'
import type { CallbackSender } from './callback.ts'
import { errorBody } from './daraja-errors.ts'
import type { Prompt } from './ledger.ts'
import type { Answer, Ending } from './outcomes.ts'
import type { Timers } from './timers.ts'

/** What the acting out of an outcome needs: its one unit of time, and ways to wait and to tell. */
export type Stage = { callbackDelayMs: number; timers: Timers; callbacks: CallbackSender }

/** Lets a payment come to an ending now: the query knows it from here on, and its callbacks go out. */
const reach = async (stage: Stage, prompt: Prompt, ending: Ending): Promise<void> => {
  prompt.result = ending.result
  await stage.callbacks.tell(prompt, ending.result, ending.callbacks)
}

const playEndings = (stage: Stage, prompt: Prompt): void => {
  for (const ending of prompt.outcome.endings) {
    stage.timers.after(ending.afterDelays * stage.callbackDelayMs, () => void reach(stage, prompt, ending))
  }
}

/**
 * Answers a push that has prompted the payer, in the way of its outcome, and lets the payment come to its endings. Times
 * count from the prompt, whenever the answer goes out.
 */
export const actOut = async (
  stage: Stage,
  options: {
    answer: Exclude<Answer, { kind: 'refused' }>
    prompt: Prompt
    requestId: string
    request: FastifyRequest
    reply: FastifyReply
  },
): Promise<FastifyReply> => {
  const { answer, prompt, reply } = options
  switch (answer.kind) {
    case 'accepted':
      playEndings(stage, prompt)
      return reply.send(acceptedBody(prompt))
    case 'accepted-late':
      playEndings(stage, prompt)
      await new Promise<void>((resolve) =>
        stage.timers.after(answer.afterDelays * stage.callbackDelayMs, resolve),
      )
      return reply.send(acceptedBody(prompt))
    case 'accepted-after-callback':
      await Promise.all(prompt.outcome.endings.map((ending) => reach(stage, prompt, ending)))
      return reply.send(acceptedBody(prompt))
    case 'error-after-prompt':
      playEndings(stage, prompt)
      return reply.code(answer.error.status).send(errorBody(answer.error, options.requestId))
    case 'cut-after-prompt':
      playEndings(stage, prompt)
      reply.hijack()
      options.request.raw.socket.destroy()
      return reply
    default:
      return answer satisfies never
  }
}

const ACCEPTED = 'Success. Request accepted for processing'

const acceptedBody = (prompt: Prompt): Record<string, string> => ({
  MerchantRequestID: prompt.merchantRequestId,
  CheckoutRequestID: prompt.checkoutRequestId,
  ResponseCode: '0',
  ResponseDescription: ACCEPTED,
  CustomerMessage: ACCEPTED,
})
