import type { Clock } from '../runtime/clock.ts'
import { type CallbackSender, callbackBody } from './callback.ts'
import type { Ids } from './ids.ts'
import type { Prompt } from './ledger.ts'
import { type Ending, PAID_ENDINGS } from './outcomes.ts'
import type { Wait } from './wrong-reply.ts'

/**
 * Plays a payment's endings from now on, each when its time is there. Where the push is answered after the callback, resolves
 * when the callbacks of all endings were answered or failed, else at once.
 */
export type Play = (prompt: Prompt) => Promise<void>

export const createPlay = (options: {
  ids: Ids
  clock: Clock
  wait: Wait
  callbacks: CallbackSender
}): Play => {
  const { ids, clock, wait, callbacks } = options

  /** The query knows the ending from here on, money moves where it is paid, with a receipt of its own, callbacks go out. */
  const reach = async (prompt: Prompt, { result }: Ending): Promise<void> => {
    const { entry, behaviour } = prompt
    const { callbackTimes: times = 1, callbackLateBy, paysOneMore } = behaviour
    const endedAt = clock()
    prompt.result = result
    const amount = entry.amount + (paysOneMore ? 1 : 0)
    const transaction = result.code === 0 ? { receipt: ids.receipt(endedAt), amount, at: endedAt } : null
    if (transaction) entry.transactions.push(transaction)
    if (times === 0) return
    const body = callbackBody({ prompt, result, transaction, endedAt })
    if (callbackLateBy !== undefined) await wait(callbackLateBy)
    await callbacks.post(prompt, { result, body, times })
  }

  return async (prompt) => {
    const { answer, endings = PAID_ENDINGS } = prompt.behaviour
    for (const ending of endings) {
      if (answer === 'after-callback') await reach(prompt, ending)
      else void wait(ending.afterDelays).then(() => reach(prompt, ending))
    }
  }
}
