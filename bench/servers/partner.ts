import { createServer } from 'node:http'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import { Pool } from 'undici'
import type { PartnerOrder, PartnerPayment } from '../support/whole/partner.ts'

// The partners, both sides of them: they ask for payments and take the outcomes, and note when, in ms since 1970. Told an order on
// a line, answers with a line of what became of each payment, once all outcomes have come or none has come for a while.

const nowMs = (): number => performance.timeOrigin + performance.now()

/** So long nothing comes when nothing more will. */
const PATIENCE_MS = 20_000

/** Those that are told to wait equally long wait up to so much longer, each a part of its own. */
const JITTER = 0.25

/** Before a request is repeated whose answer did not come. */
const UNKNOWN_WAIT_MS = 1_000

/** When outcomes came, how often and which first, by the payment's id. */
const arrivals = new Map<number, { atMs: number; times: number; outcome: string }>()

let onArrival: (id: number) => void = () => undefined

const receiver = createServer((request, response) => {
  const [, idText, outcome = ''] = String(request.headers['webhook-id']).split('_')
  const id = Number(idText)
  const known = arrivals.get(id)
  if (known === undefined) {
    arrivals.set(id, { atMs: nowMs(), times: 1, outcome })
    onArrival(id)
  } else known.times += 1
  request.resume().on('end', () => response.end('ok'))
})
receiver.keepAliveTimeout = 60_000

const listen = (): Promise<string> =>
  new Promise((resolve) => {
    receiver.listen(0, '127.0.0.1', () => {
      const address = receiver.address()
      const port = typeof address === 'object' && address !== null ? address.port : 0
      resolve(`http://127.0.0.1:${port}`)
    })
  })

const callbackUrl = `${await listen()}/outcomes`

/** A partner's connections: from an address of its own, where one machine's loopback has more than one. */
const openPool = ({ url, addresses, connections }: PartnerOrder, index: number): Pool =>
  new Pool(url, {
    connections,
    ...(addresses > 1 && process.platform === 'linux' && { localAddress: `127.0.1.${index + 1}` }),
  })

/** The status of an answer, 0 for none, with the payment's id and the seconds that it asks to wait. */
type Answer = { status: number; id: number; retryAfter: number }

const NO_ANSWER: Answer = { status: 0, id: 0, retryAfter: 0 }

/** Sends one request; without the promises and streams of one, for what is spent here is missing there. */
const ask = (pool: Pool, order: PartnerOrder, number: number, then: (answer: Answer) => void): void => {
  const reference = referenceOf(order, number)
  let status = 0
  let retryAfter = 0
  let text = ''
  pool.dispatch(
    {
      method: 'POST',
      path: '/api/v1/mpesa/stk_push',
      headers: {
        'content-type': 'application/json',
        'x-api-key': order.apiKeys[number % order.apiKeys.length] ?? '',
        'x-idempotency-key': reference,
      },
      body: JSON.stringify({
        phone: `2547${String(10_000_000 + number)}`,
        amount: 1 + (number % 1000),
        reference,
        callback_url: callbackUrl,
      }),
    },
    {
      onRequestStart: () => undefined,
      onResponseStart: (_controller, code, headers) => {
        status = code
        retryAfter = Number(headers['retry-after'] ?? 0)
      },
      onResponseData: (_controller, chunk) => {
        text += chunk.toString('utf8')
      },
      onResponseEnd: () =>
        then({ status, retryAfter, id: status === 200 ? Number(JSON.parse(text).transaction_id) : 0 }),
      onResponseError: () => then(NO_ANSWER),
    },
  )
}

const referenceOf = (order: PartnerOrder, number: number): string => `${order.prefix}${number.toString(36)}`

const isRefusal = (status: number): boolean => status === 429 || status === 503

/** What a partner does with an answer that is none: ms to wait before it asks again, null when it does not. */
const repeatAfterMs = ({ status, retryAfter }: Answer): number | null => {
  if (isRefusal(status)) return retryAfter * 1000 * (1 + JITTER * Math.random())
  return status === 0 ? UNKNOWN_WAIT_MS : null
}

const run = async (order: PartnerOrder): Promise<PartnerPayment[]> => {
  const pools = Array.from({ length: order.addresses }, (_one, index) => openPool(order, index))
  const payments: PartnerPayment[] = []
  const answered = new Map<number, PartnerPayment>()
  let underWay = 0
  let lastMs = nowMs()
  const finish = (): void => {
    underWay -= 1
    lastMs = nowMs()
    more()
  }
  onArrival = (id) => {
    if (answered.has(id)) finish()
  }
  const request = (payment: PartnerPayment, number: number): void => {
    const pool = pools[number % pools.length]
    if (pool === undefined) return
    payment.askedMs = nowMs()
    ask(pool, order, number, (answer) => {
      payment.answeredMs = nowMs()
      payment.status = answer.status
      if (isRefusal(answer.status)) {
        payment.refusals += 1
        payment.refusedMs = payment.answeredMs
      }
      if (answer.status === 200) answered.set(answer.id, payment)
      const waitMs = repeatAfterMs(answer)
      if (waitMs !== null && payment.answeredMs + waitMs < payment.dueMs + order.repeatForMs) {
        payment.repeats += 1
        setTimeout(() => request(payment, number), waitMs)
      } else if (answer.status !== 200 || arrivals.has(answer.id)) finish()
    })
  }
  const send = (dueMs: number): void => {
    const number = payments.length
    const reference = referenceOf(order, number)
    const payment = { ...UNKNOWN, reference, dueMs }
    payments.push(payment)
    underWay += 1
    request(payment, number)
  }
  const { clients } = order
  const more = (): void => {
    if (clients === undefined) return
    while (underWay < clients.atOnce && payments.length < clients.count) send(nowMs())
  }
  more()
  let beganMs = nowMs()
  for (const { perSecond, seconds } of order.steps ?? []) {
    for (let number = 0; number < perSecond * seconds; number += 1) {
      const dueMs = beganMs + (number * 1000) / perSecond
      while (dueMs > nowMs()) await pause(1)
      send(dueMs)
    }
    beganMs += seconds * 1000
  }
  lastMs = nowMs()
  while (underWay > 0 && nowMs() - lastMs < PATIENCE_MS) await pause(5)
  // A second delivery of one outcome would come soon after the first.
  await pause(50)
  for (const [id, payment] of answered) {
    const arrival = arrivals.get(id)
    if (arrival === undefined) continue
    const { atMs: deliveredMs, times, outcome } = arrival
    Object.assign(payment, { deliveredMs, times, outcome })
  }
  arrivals.clear()
  await Promise.all(pools.map((pool) => pool.destroy()))
  return payments
}

const UNKNOWN = {
  askedMs: 0,
  answeredMs: 0,
  status: 0,
  repeats: 0,
  refusals: 0,
  refusedMs: 0,
  deliveredMs: 0,
  times: 0,
  outcome: '',
}

process.stdout.write(`${JSON.stringify({ ready: true })}\n`)
for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await run(JSON.parse(line) as PartnerOrder))}\n`)
}
