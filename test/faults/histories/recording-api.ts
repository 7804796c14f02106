import { setTimeout as pause } from 'node:timers/promises'
import { type Agent, request } from 'undici'
import { z } from 'zod'
import type { Body, Call, PageCall, ReadCall, RequestCall, Seen } from './history.ts'

/** The public API as one client uses it: each call is written into the history, and what it was answered is given back. */
export type RecordingApi = {
  request(key: string, body: Body): Promise<RequestCall['answer']>
  read(reader: ReadCall['reader'], id: number): Promise<ReadCall['answer']>
  page(walk: number, where: { before: number | null; limit: number }): Promise<PageCall['answer']>
}

/** How long a client waits for an answer, and after a call of which it heard nothing before it calls again, ms. */
const ANSWER_MS = 4_000
const AGAIN_MS = 100

type Answer = { status: number; text: string; json: unknown }

export const createRecordingApi = (options: {
  client: number
  history: Call[]
  agent: Agent
  httpUrl: () => string
  apiKeys: Record<ReadCall['reader'], string>
  /** A monotonic time, ms. */
  nowMs: () => number
}): RecordingApi => {
  const { client, history, nowMs } = options

  /** Null: it is not known whether the call took place. */
  const call = async (
    path: string,
    headers: Record<string, string>,
    post?: { body: string },
  ): Promise<Answer | null> => {
    const answer = await request(`${options.httpUrl()}/api/v1/mpesa/${path}`, {
      dispatcher: options.agent,
      method: post ? 'POST' : 'GET',
      headers: { ...headers, ...(post && { 'content-type': 'application/json' }) },
      body: post?.body ?? null,
      signal: AbortSignal.timeout(ANSWER_MS),
    })
      .then(async ({ statusCode, body }) => ({ status: statusCode, text: await body.text() }))
      .catch(() => null)
    if (answer !== null && answer.status !== 503) return { ...answer, json: parseJson(answer.text) }
    await pause(AGAIN_MS)
    return null
  }

  const timed = async <Result>(work: () => Promise<Result>) => {
    const beganMs = nowMs()
    const answer = await work()
    return { client, beganMs, endedMs: nowMs(), answer }
  }

  return {
    request: async (key, body) => {
      const { phone, amountKes: amount, reference, callbackUrl: callback_url } = body
      const headers = { 'x-api-key': options.apiKeys.owner, 'x-idempotency-key': key }
      const asked = { body: JSON.stringify({ phone, amount, reference, callback_url }) }
      const done = await timed(async () => toRequestAnswer(await call('stk_push', headers, asked)))
      history.push({ kind: 'request', key, body, ...done })
      return done.answer
    },
    read: async (reader, id) => {
      const headers = { 'x-api-key': options.apiKeys[reader] }
      const done = await timed(async () => toReadAnswer(await call(`transactions/${id}`, headers)))
      history.push({ kind: 'read', reader, id, ...done })
      return done.answer
    },
    page: async (walk, { before, limit }) => {
      const path = `transactions?limit=${limit}${before === null ? '' : `&before=${before}`}`
      const headers = { 'x-api-key': options.apiKeys.owner }
      const done = await timed(async () => toPageAnswer(await call(path, headers)))
      history.push({ kind: 'page', walk, before, ...done })
      return done.answer
    },
  }
}

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

const transaction = z
  .object({
    transaction_id: z.number(),
    status: z.string(),
    phone: z.string(),
    amount: z.number(),
    reference: z.string(),
    callback_url: z.string(),
    mpesa_receipt: z.string().nullable(),
  })
  .transform(
    (read): Seen => ({
      id: read.transaction_id,
      state: read.status,
      phone: read.phone,
      amountKes: read.amount,
      reference: read.reference,
      callbackUrl: read.callback_url,
      receipt: read.mpesa_receipt,
    }),
  )

const accepted = z.object({ status: z.enum(['success', 'duplicate']), transaction_id: z.number() })
const found = z.object({ transaction })
const listed = z.object({ transactions: z.array(transaction), next_before: z.number().nullable() })

const odd = ({ status, text }: Answer) => ({ kind: 'odd', text: `${status} ${text.slice(0, 300)}` }) as const

const toRequestAnswer = (answer: Answer | null): RequestCall['answer'] => {
  if (answer === null) return { kind: 'unknown' }
  if (answer.status === 422) return { kind: 'key_reused' }
  const read = accepted.safeParse(answer.json)
  if (answer.status !== 200 || !read.success) return odd(answer)
  return { kind: read.data.status, id: read.data.transaction_id }
}

const toReadAnswer = (answer: Answer | null): ReadCall['answer'] => {
  if (answer === null) return { kind: 'unknown' }
  if (answer.status === 404) return { kind: 'not_found' }
  const read = found.safeParse(answer.json)
  return answer.status === 200 && read.success
    ? { kind: 'found', payment: read.data.transaction }
    : odd(answer)
}

const toPageAnswer = (answer: Answer | null): PageCall['answer'] => {
  if (answer === null) return { kind: 'unknown' }
  const read = listed.safeParse(answer.json)
  return answer.status === 200 && read.success
    ? { kind: 'page', payments: read.data.transactions, next: read.data.next_before }
    : odd(answer)
}
