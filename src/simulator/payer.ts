import type { Clock } from '../runtime/clock.ts'
import type { Ending } from './behaviour.ts'
import type { CallbackSender } from './callback.ts'
import { callbackBody } from './callback-body.ts'
import type { Ids } from './ids.ts'
import type { Prompt, Transaction } from './ledger.ts'
import { isPaid } from './results.ts'
import type { Timers, Wait } from './timers.ts'

/** What the acting out of an outcome needs: its one unit of time, and ways to wait and to tell. */
export type Stage = {
  callbackDelayMs: number
  timers: Timers
  wait: Wait
  callbacks: CallbackSender
  ids: Ids
  clock: Clock
}

/**
 * Lets a payment come to an ending now: the query knows it from here on, money moves where it is paid, and its callbacks go
 * out. Resolves when they were answered or failed.
 */
const reach = async (stage: Stage, prompt: Prompt, ending: Ending): Promise<void> => {
  const { result } = ending
  const { behaviour } = prompt
  const endedAt = stage.clock()
  prompt.result = result
  const transaction = isPaid(result) ? pay(stage, prompt, endedAt) : null
  if (behaviour.callbackTimes === 0) return
  const body = callbackBody({ prompt, result, transaction, form: behaviour, endedAt })
  if (behaviour.callbackLateBy > 0) await stage.wait(behaviour.callbackLateBy)
  await stage.callbacks.tell(prompt, { result, body, times: behaviour.callbackTimes })
}

/** Moves the money: each success has a receipt of its own. */
const pay = (stage: Stage, prompt: Prompt, paidAt: Date): Transaction => {
  const more = prompt.behaviour.paidAmount === 'one-more' ? 1 : 0
  const transaction = {
    receipt: stage.ids.receipt(paidAt),
    paidAt,
    amountKes: prompt.amountKes + more,
  }
  prompt.transactions.push(transaction)
  return transaction
}

/** Lets a payment come to each of its endings when its time is there, counted from now. */
export const playEndings = (stage: Stage, prompt: Prompt): void => {
  for (const ending of prompt.behaviour.endings) {
    stage.timers.after(ending.afterDelays * stage.callbackDelayMs, () => void reach(stage, prompt, ending))
  }
}

/** Lets a payment come to all of its endings at once; resolves when their callbacks were answered or failed. */
export const playEndingsNow = async (stage: Stage, prompt: Prompt): Promise<void> => {
  for (const ending of prompt.behaviour.endings) await reach(stage, prompt, ending)
}
