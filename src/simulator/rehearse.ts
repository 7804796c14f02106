import { callbackBody } from './callback.ts'
import { chosenBy, combine } from './choose.ts'
import { type Behaviour, type Ending, PAID_ENDINGS, type Result, TIMED_OUT } from './outcomes.ts'
import { NO_SUCH_TRANSACTION, type Page, type WrongReply } from './wrong-reply.ts'

// How test payments go, which are rehearsed inside a gateway that is at work. Nothing is remembered: all of it follows
// from the payment itself and the time, so that any replica, and one that was started anew, goes on where another ended.
// What a prompt was about is therefore written into its CheckoutRequestID.

/** A test payment that is pushed. */
export type RehearsedPush = { paymentId: bigint; msisdn: string; amountKes: number; pushedAt: Date }

/** An answer; `no_answer`: the connection ended, or nothing came. */
export type RehearsedAnswer =
  | { kind: 'answered'; status: number; body: string; afterMs: number }
  | { kind: 'no_answer'; isSilent: boolean }

/** A callback, and how long after the push it comes, ms. */
export type RehearsedCallback = { afterMs: number; body: string }

export type Rehearsal = {
  /** `isAnswerLast`: the answer comes when the callbacks were answered. */
  push(push: RehearsedPush): {
    answer: RehearsedAnswer
    isAnswerLast: boolean
    callbacks: RehearsedCallback[]
  }
  /** What the query answers at an instant. */
  query(checkoutRequestId: string, at: Date): { status: number; body: string }
  /** The callbacks that must have come until an instant, whether they did or not. */
  callbacksUntil(push: RehearsedPush, at: Date): string[]
}

/** What would stay open for good ends as a timeout after this, ms: rehearsals leave nothing behind. */
const ENDS_AFTER_MS = 3_600_000

/** How long a callback may be on its way, ms. */
const ON_ITS_WAY_MS = 5_000

/** Makes what decides how test payments go. `delayMs` is the time from a prompt to its callback. */
export const createRehearsal = ({ delayMs }: { delayMs: number }): Rehearsal => {
  const pushed = (push: RehearsedPush) => {
    const behaviour = behaviourOf(push)
    const { answer } = behaviour
    const wrong = answer === 'after-callback' ? undefined : answer?.wrong
    return {
      answer: answerOf(rightAnswer(push, behaviour), wrong, delayMs),
      isAnswerLast: answer === 'after-callback',
      callbacks: callbacksOf(push, behaviour, delayMs),
    }
  }

  const query = (checkoutRequestId: string, at: Date): { status: number; body: string } => {
    const push = readCheckoutRequestId(checkoutRequestId)
    const behaviour = push && behaviourOf(push)
    if (!push || !isPrompted(behaviour ?? {})) return pageOf(NO_SUCH_TRANSACTION)
    const result = resultAt(push, behaviour ?? {}, { at, delayMs })
    return {
      status: 200,
      body: JSON.stringify({
        ResponseCode: '0',
        ResponseDescription: 'The service request has been accepted successsfully',
        MerchantRequestID: merchantRequestIdOf(push),
        CheckoutRequestID: checkoutRequestId,
        ResultCode: String(result?.code ?? 4999),
        ResultDesc: result?.queryDescription ?? 'The transaction is still under processing',
      }),
    }
  }

  const callbacksUntil = (push: RehearsedPush, at: Date): string[] => {
    const ageMs = at.getTime() - push.pushedAt.getTime()
    const due = pushed(push).callbacks.filter(({ afterMs }) => afterMs + ON_ITS_WAY_MS <= ageMs)
    if (due.length > 0 || ageMs < ENDS_AFTER_MS) return due.map(({ body }) => body)
    return [bodyOf(push, {}, { result: TIMED_OUT, endedAt: at, number: 0 })]
  }

  return { push: pushed, query, callbacksUntil }
}

/** What phone number and amount choose, but for how the query answers: nobody outside sees that. */
const behaviourOf = ({ msisdn, amountKes }: RehearsedPush): Behaviour =>
  combine(chosenBy(msisdn, amountKes).filter(({ call }) => call === 'push')).behaviour

const isPrompted = ({ answer }: Behaviour): boolean =>
  answer === undefined || answer === 'after-callback' || answer.prompted

const rightAnswer = (push: RehearsedPush, { numbersInAnswer }: Behaviour): object => ({
  MerchantRequestID: merchantRequestIdOf(push),
  CheckoutRequestID: checkoutRequestIdOf(push),
  ResponseCode: numbersInAnswer ? 0 : '0',
  ResponseDescription: ACCEPTED,
  CustomerMessage: ACCEPTED,
})

const ACCEPTED = 'Success. Request accepted for processing'

const answerOf = (right: object, wrong: WrongReply | undefined, delayMs: number): RehearsedAnswer => {
  const rightAfter = (afterMs: number): RehearsedAnswer => ({
    kind: 'answered',
    status: 200,
    body: JSON.stringify(right),
    afterMs,
  })
  switch (wrong?.kind) {
    case undefined:
      return rightAfter(0)
    case 'late':
      return rightAfter(wrong.delays * delayMs)
    case 'page':
      return { kind: 'answered', ...pageOf(wrong, right), afterMs: 0 }
    case 'cut':
    case 'cut_midway':
    case 'silence':
      return { kind: 'no_answer', isSilent: wrong.kind === 'silence' }
    default:
      return wrong satisfies never
  }
}

const pageOf = ({ status, body }: Page, right: object = {}): { status: number; body: string } => ({
  status,
  body: body(right, 'TEST-0'),
})

const callbacksOf = (push: RehearsedPush, behaviour: Behaviour, delayMs: number): RehearsedCallback[] => {
  const { callbackTimes = 1, callbackLateBy = 0 } = behaviour
  if (!isPrompted(behaviour)) return []
  return endingsOf(behaviour).flatMap(({ afterDelays, result }, number) => {
    const endedAt = new Date(push.pushedAt.getTime() + afterDelays * delayMs)
    const body = bodyOf(push, behaviour, { result, endedAt, number })
    const callback = { afterMs: (afterDelays + callbackLateBy) * delayMs, body }
    return Array.from({ length: callbackTimes }, () => callback)
  })
}

const endingsOf = ({ endings = PAID_ENDINGS }: Behaviour): readonly Ending[] => endings

const bodyOf = (
  push: RehearsedPush,
  behaviour: Behaviour,
  { result, endedAt, number }: { result: Result; endedAt: Date; number: number },
): string => {
  const amount = push.amountKes + (behaviour.paysOneMore ? 1 : 0)
  const isPaid = result.code === 0
  const entry = {
    merchant_request_id: merchantRequestIdOf(push),
    checkout_request_id: checkoutRequestIdOf(push),
    amount: push.amountKes,
    phone: push.msisdn,
  }
  const transaction = isPaid ? { receipt: receiptOf(push.paymentId, number), amount, at: endedAt } : null
  return callbackBody({ prompt: { entry, behaviour }, result, transaction, endedAt })
}

/** The ending that has come last; null while there is none. */
const resultAt = (
  { pushedAt }: RehearsedPush,
  behaviour: Behaviour,
  { at, delayMs }: { at: Date; delayMs: number },
): Result | null => {
  const ageMs = at.getTime() - pushedAt.getTime()
  const ended = endingsOf(behaviour).findLast(({ afterDelays }) => afterDelays * delayMs <= ageMs)
  return ended?.result ?? (ageMs >= ENDS_AFTER_MS ? TIMED_OUT : null)
}

const merchantRequestIdOf = ({ paymentId }: RehearsedPush): string => `TEST-${paymentId}-1`

/** Ends with the payer's number, as real ones do, so that it is masked as they are. */
const checkoutRequestIdOf = ({ paymentId, amountKes, pushedAt, msisdn }: RehearsedPush): string =>
  `ws_CO_TEST_${paymentId.toString(36)}_${amountKes}_${pushedAt.getTime().toString(36)}_${msisdn.slice(3)}`

const readCheckoutRequestId = (id: string): RehearsedPush | null => {
  const found = /^ws_CO_TEST_([0-9a-z]{1,13})_(\d{1,6})_([0-9a-z]{1,9})_(\d{9})$/.exec(id)
  if (!found) return null
  const [, paymentId = '', amountKes, pushedAt = '', number = ''] = found
  return {
    // The query's answer does not depend on it beyond what is shown.
    paymentId: BigInt(Number.parseInt(paymentId, 36)),
    amountKes: Number(amountKes),
    pushedAt: new Date(Number.parseInt(pushedAt, 36)),
    msisdn: `254${number}`,
  }
}

/**
 * A receipt that M-PESA cannot give: its second character stands for the month, and is one of A to L. A payment that is
 * paid twice has a second one.
 */
const receiptOf = (paymentId: bigint, number: number): string => {
  const prefix = number === 0 ? 'XTEST' : `XTES${number + 1}`
  return `${prefix}${paymentId.toString(36).toUpperCase().padStart(5, '0')}`
}
