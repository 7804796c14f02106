import { createHash } from 'node:crypto'
import { Agent } from 'undici'
import type { Clock } from '../runtime/clock.ts'
import type { Log } from '../runtime/log.ts'
import { toDarajaTimestamp } from '../values/instant.ts'
import type { Ids } from './ids.ts'
import type { Entry, Ledger, PostedCallback, Prompt, Transaction } from './ledger.ts'
import { type Behaviour, type Ending, PAID_ENDINGS, type Result } from './outcomes.ts'
import type { Wait } from './wrong-reply.ts'

/** An item of the metadata; without `Value` where Daraja leaves it out. */
type Item = { Name: string; Value?: number | string }

/** What the old forms say as the balance; the amount is nobody's. */
const BALANCE = 49_197

/** What a callback reports, and how. `transaction` is the money that moved, null when none did. */
type Report = {
  prompt: {
    entry: Pick<Entry, 'merchant_request_id' | 'checkout_request_id' | 'amount' | 'phone'>
    behaviour: Behaviour
  }
  result: Result
  transaction: Transaction | null
  endedAt: Date
}

/** The code of an ending, whose text says that it is none. */
export const STILL_PROCESSING_RESULT = {
  ResultCode: 1037,
  ResultDesc: 'The transaction is still under processing',
}

/** The body of a callback, field by field in the recorded order. Times are East Africa Time. */
export const callbackBody = (report: Report): string => {
  const { entry, behaviour } = report.prompt
  const items = itemsOf(report)
  const stkCallback = {
    MerchantRequestID: entry.merchant_request_id,
    CheckoutRequestID: entry.checkout_request_id,
    ...resultFields(behaviour, report.result),
    ...(items && { CallbackMetadata: { Item: items } }),
  }
  const plain = JSON.stringify({ Body: { stkCallback } })
  // The old forms write money as `1.00`, which no JavaScript number keeps.
  const body = behaviour.items
    ? plain.replaceAll(/("Name":"(?:Amount|Balance)","Value":"?\d+)/g, '$1.00')
    : plain
  if (behaviour.spelling === 'byte-order-mark') return `\ufeff${body}`
  return behaviour.spelling === 'code-twice' ? body.replace('"ResultCode":', '"ResultCode":1032,$&') : body
}

const resultFields = (behaviour: Behaviour, { code, callbackDescription: ResultDesc }: Result) => {
  if (behaviour.spelling === 'still-processing') return STILL_PROCESSING_RESULT
  if (behaviour.spelling === 'odd-code') return { ResultCode: `0${code}`, ResultDesc }
  return { ResultCode: behaviour.stringsInCallback ? String(code) : code, ResultDesc }
}

/** The metadata; null when there is none, which is usual where no money moved. */
const itemsOf = ({ prompt: { entry, behaviour }, transaction, endedAt }: Report): unknown[] | null => {
  if (!transaction && !behaviour.failureItems) return null
  const items: Item[] = [
    { Name: 'Amount', Value: (transaction ?? entry).amount },
    { Name: 'MpesaReceiptNumber', ...(transaction && { Value: transaction.receipt }) },
    ...(behaviour.items
      ? [{ Name: 'Balance', ...(behaviour.items === 'balance' && { Value: BALANCE }) }]
      : []),
    { Name: 'TransactionDate', Value: Number(toDarajaTimestamp(transaction?.at ?? endedAt)) },
    { Name: 'PhoneNumber', Value: phoneIn(behaviour, entry.phone) },
  ]
  const written = items.map(({ Name, Value }): Item => {
    if (Value === undefined || (!transaction && behaviour.failureItems === 'empty')) return { Name }
    return { Name, Value: behaviour.stringsInCallback ? String(Value) : Value }
  })
  return behaviour.spelling === 'odd-items' ? [null, {}, ...written, [], { Name: null, Value: 0 }] : written
}

/** The number itself, `2547 ***** 126`, or SHA-256 of the number. */
const phoneIn = ({ phoneForm }: Behaviour, phone: string): number | string => {
  if (phoneForm === 'masked') return `${phone.slice(0, 4)} ***** ${phone.slice(-3)}`
  return phoneForm === 'hashed' ? createHash('sha256').update(phone).digest('hex') : Number(phone)
}

const CONNECT_TIMEOUT_MS = 5_000
const ANSWER_TIMEOUT_MS = 30_000
/** At most so many callbacks are under way to one receiver at once; the rest are queued. */
const CONNECTIONS_PER_RECEIVER = 64

export type CallbackSender = {
  /** Posts a callback so many times at once with the same bytes. Resolves when all were answered or failed. */
  post(prompt: Prompt, callback: { result: Result; body: string; times: number }): Promise<void>
  /** Ends what is under way. */
  close(): Promise<void>
}

/**
 * Creates the sender of callbacks. Each is posted once: what fails is logged and counted, never repeated, like
 * upstream.
 */
export const createCallbackSender = (options: { ledger: Ledger; clock: Clock; log: Log }): CallbackSender => {
  const { ledger, clock, log } = options
  const agent = new Agent({
    allowH2: false,
    connections: CONNECTIONS_PER_RECEIVER,
    connect: { timeout: CONNECT_TIMEOUT_MS },
    headersTimeout: ANSWER_TIMEOUT_MS,
    bodyTimeout: ANSWER_TIMEOUT_MS,
  })

  const postOnce = async ({ entry }: Prompt, callback: PostedCallback): Promise<void> => {
    const { origin, pathname, search } = new URL(entry.callback_url)
    const headers = {
      'Content-Type': 'application/json;charset=UTF-8',
      Businessshortcode: entry.shortcode,
    }
    try {
      const { body } = callback
      const response = await agent.request({
        origin,
        path: `${pathname}${search}`,
        method: 'POST',
        headers,
        body,
      })
      // An answer that breaks off after its status has still been given.
      response.body.dump().catch(() => undefined)
      callback.status = response.statusCode
    } catch (error) {
      callback.error = describeFailure(error)
    }
    callback.answered_at = clock()
    const line = {
      merchantRequestId: entry.merchant_request_id,
      callbackUrl: maskCallbackUrl(entry.callback_url),
      resultCode: callback.result_code,
      status: callback.status,
      error: callback.error,
    }
    if (callback.status !== null && callback.status >= 200 && callback.status < 300) {
      log.info(line, 'callback answered')
      return
    }
    ledger.totals.callbacks_failed += 1
    log.warn(line, 'callback failed: it is not repeated')
  }

  return {
    post: async (prompt, { result, body, times }) => {
      const posted = {
        posted_at: clock(),
        result_code: result.code,
        status: null,
        error: null,
        answered_at: null,
        body,
      }
      const callbacks = Array.from({ length: times }, (): PostedCallback => ({ ...posted }))
      prompt.entry.callbacks.push(...callbacks)
      ledger.totals.callbacks_posted += times
      await Promise.all(callbacks.map((callback) => postOnce(prompt, callback)))
    },
    close: () => agent.destroy(),
  }
}

const describeFailure = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error)
  return 'code' in error && typeof error.code === 'string' ? error.code : error.message
}

/**
 * A callback URL as logs may show it: without its last path segment, which is the payment's token, and what follows.
 */
export const maskCallbackUrl = (callbackUrl: string): string => {
  const { origin, pathname } = new URL(callbackUrl)
  return `${origin}${pathname.slice(0, pathname.lastIndexOf('/'))}/***`
}

/**
 * Plays a payment's endings from now on, each when its time is there. Where the push is answered after the callback,
 * resolves when the callbacks of all endings were answered or failed, else at once.
 */
export type Play = (prompt: Prompt) => Promise<void>

export const createPlay = (options: {
  ids: Ids
  clock: Clock
  wait: Wait
  callbacks: CallbackSender
}): Play => {
  const { ids, clock, wait, callbacks } = options

  /**
   * The query knows the ending from here on, money moves where it is paid, with a receipt of its own, callbacks go out.
   */
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
