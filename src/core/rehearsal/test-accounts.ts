import type { Clock } from '../../runtime/clock.ts'
import { partnerIdOf } from '../../values/test-partner.ts'
import type { CallbackTokens } from '../callback/token.ts'
import type { OpenAccount, RecalledPayment } from '../daraja/call.ts'
import { PUSH_PATH, type Reply, type SendToDaraja, toReply } from '../daraja/client.ts'
import { type Pushed, readPush } from './pushed.ts'
import { createWaits } from './waits.ts'

// Test payments take the way of every payment: pushed, recorded, called back, interpreted, settled, delivered by the
// same code. Only what stands where Daraja would is another: this, in the same process, which opens no connection. What
// it answers follows from the payment alone (the simulator's table), so nothing is kept here that a restart could lose,
// but for the callbacks that are on their way. Those that a dead process owed are made up for: the query of a payment
// that has ids says the same, and one without is called back again (`callBackAgain`).

/** A test payment as it is pushed. */
type RehearsedPush = { paymentId: bigint; msisdn: string; amountKes: number; pushedAt: Date }

/** How test payments go, given to the core by whoever puts the parts together: a function of the payment and the time. */
export type Rehearsal = {
  push(push: RehearsedPush): {
    answer:
      | { kind: 'answered'; status: number; body: string; afterMs: number }
      | { kind: 'no_answer'; isSilent: boolean }
    /** The answer comes when the callbacks were answered. */
    isAnswerLast: boolean
    callbacks: readonly { afterMs: number; body: string }[]
  }
  query(checkoutRequestId: string, at: Date): { status: number; body: string }
  callbacksUntil(push: RehearsedPush, at: Date): readonly string[]
}

/** Takes a callback as though it had come to its URL. Never rejects. */
export type CallBack = (to: { paymentId: bigint; nonce: string | null }, body: string) => Promise<void>

export type TestAccounts = {
  /** The account of a partner's test payments. */
  readonly open: (accountId: bigint) => OpenAccount
  /** Ends what still waits: callbacks that were not posted yet, and answers that never come. */
  close(): void
}

/** Makes the accounts of test payments. `timeoutMs`: how long Daraja's answer is waited for. */
export const createTestAccounts = (options: {
  rehearsal: Rehearsal
  tokens: CallbackTokens
  callBack: CallBack
  timeoutMs: number
  clock: Clock
}): TestAccounts => {
  const { rehearsal, callBack, clock } = options
  const waits = createWaits()

  const push = async (pushed: Pushed): Promise<Reply> => {
    const { answer, isAnswerLast, callbacks } = rehearsal.push({
      paymentId: pushed.paymentId,
      msisdn: pushed.msisdn,
      amountKes: pushed.amountKes,
      pushedAt: clock(),
    })
    const called = Promise.all(
      callbacks.map(async ({ afterMs, body }) => {
        if (await waits.untilAfter(afterMs, { isDropped: !isAnswerLast })) await callBack(pushed, body)
      }),
    )
    if (isAnswerLast) await called
    if (answer.kind === 'answered') {
      const isAnswered = await waits.untilAfter(answer.afterMs)
      return isAnswered ? answered(answer) : NO_ANSWER
    }
    if (answer.isSilent) await waits.untilAfter(options.timeoutMs)
    return NO_ANSWER
  }

  const send: SendToDaraja = async ({ path, body }) => {
    if (path !== PUSH_PATH) {
      const id =
        typeof body === 'object' && body !== null && 'CheckoutRequestID' in body ? body.CheckoutRequestID : ''
      return answered(rehearsal.query(String(id), clock()))
    }
    const pushed = readPush(body, options.tokens)
    return pushed === null ? NO_ANSWER : push(pushed)
  }

  const callBackAgain = async (payment: RecalledPayment): Promise<void> => {
    const { paymentId, msisdn, amountKes, createdAt } = payment
    const push = { paymentId, msisdn, amountKes, pushedAt: createdAt }
    for (const body of rehearsal.callbacksUntil(push, clock())) await callBack(payment, body)
  }

  return {
    open: (accountId) => ({
      daraja: { account: accountOf(accountId), send, tokens: NO_TOKENS, clock },
      uniqueReference: false,
      pull: null,
      test: { callBackAgain },
    }),
    close: () => waits.end(),
  }
}

const answered = ({ status, body }: { status: number; body: string }): Reply =>
  toReply({ status, bytes: Buffer.from(body) })

const NO_ANSWER: Reply = { kind: 'no_answer', reason: 'rehearsed: no whole answer' }

/** Held off, and counted in buckets, by a name that no shortcode has. */
const accountOf = (accountId: bigint) => ({
  shortcode: `test-${partnerIdOf(accountId)}`,
  consumerKey: '',
  consumerSecret: '',
  passkey: '',
  transactionType: 'CustomerPayBillOnline' as const,
  partyB: '',
})

/** Nothing here asks for one. */
const NO_TOKENS: OpenAccount['daraja']['tokens'] = {
  get: () => Promise.resolve({ kind: 'token', token: '' }),
  forget: () => undefined,
}
