import { setTimeout as pause } from 'node:timers/promises'
import { Agent, request } from 'undici'

/** One payment that the partner wants: whatever happens, under one idempotency key. */
export type Wish = { key: string; phone: string; amountKes: number }

/** What the partner knows of its payments: its own ledger, outside the system. */
export type PartnerClient = {
  /** Asks until it is answered, with the same key each time; resolves then, or when the client is closed. */
  ask(wish: Wish): Promise<void>
  wishes: Wish[]
  /** The `transaction_id` that each key was answered with. */
  answered: Map<string, number>
  /** What must never be answered: another id for a key, or a refusal of a request that is right. */
  complaints: string[]
  /** Requests whose outcome stayed unknown, and were repeated. */
  unknown(): number
  close(): Promise<void>
}

/** How long it waits for an answer, and before it asks again, ms. */
const ANSWER_MS = 5_000
const RETRY_MS = 50

/** A partner that does what the guide tells it: 503 and a cut connection mean unknown, repeat with the same key. */
export const createPartnerClient = (options: {
  /** Where to ask next: any replica will do. */
  httpUrl: () => string
  apiKey: string
  callbackUrl: string
}): PartnerClient => {
  const agent = new Agent({ connections: 16, connect: { timeout: 1_000 } })
  const closing = new AbortController()
  const wishes: Wish[] = []
  const answered = new Map<string, number>()
  const complaints: string[] = []
  let unknown = 0

  const askOnce = async (wish: Wish): Promise<boolean> => {
    const answer = await request(`${options.httpUrl()}/api/v1/mpesa/stk_push`, {
      dispatcher: agent,
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'x-api-key': options.apiKey,
        'x-idempotency-key': wish.key,
      },
      body: JSON.stringify({
        phone: wish.phone,
        amount: wish.amountKes,
        reference: wish.key,
        callback_url: options.callbackUrl,
      }),
      signal: AbortSignal.any([closing.signal, AbortSignal.timeout(ANSWER_MS)]),
    })
    const text = await answer.body.text()
    if (answer.statusCode === 503) return false
    if (answer.statusCode !== 200) {
      complaints.push(`${wish.key} was answered ${answer.statusCode} ${text}`)
      return true
    }
    const { transaction_id: id } = JSON.parse(text) as { transaction_id: number }
    const before = answered.get(wish.key)
    if (before !== undefined && before !== id) complaints.push(`${wish.key} is ${before} and ${id}`)
    answered.set(wish.key, id)
    return true
  }

  const ask = async (wish: Wish): Promise<void> => {
    wishes.push(wish)
    while (!closing.signal.aborted) {
      if (await askOnce(wish).catch(() => false)) return
      unknown += 1
      await pause(RETRY_MS)
    }
  }

  const close = async (): Promise<void> => {
    closing.abort()
    await agent.destroy()
  }
  return { ask, wishes, answered, complaints, unknown: () => unknown, close }
}
