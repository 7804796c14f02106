import { createServer } from 'node:http'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import { Pool } from 'undici'
import type { PartnerOrder, PartnerPayment } from '../support/whole/partner.ts'

// The partners, both sides of them: they ask for payments and take the outcomes, and note when, in ms since 1970. Told an order on
// a line, answers with a line of what became of each payment, once all outcomes have come or none has come for a while.

const nowMs = (): number => performance.timeOrigin + performance.now()

const CONNECTIONS = 64

/** So long nothing comes when nothing more will. */
const PATIENCE_MS = 20_000

/** When outcomes came and how often, by the payment's id, and who waits for them. */
const arrivals = new Map<number, { atMs: number; times: number }>()

let onArrival: (id: number) => void = () => undefined

const receiver = createServer((request, response) => {
  const id = Number(String(request.headers['webhook-id']).split('_')[1])
  const known = arrivals.get(id)
  if (known === undefined) {
    arrivals.set(id, { atMs: nowMs(), times: 1 })
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

/** Sends one request; `then` hears the status, 0 for none, and the payment's id. */
const ask = (
  pool: Pool,
  order: PartnerOrder,
  number: number,
  then: (status: number, id: number) => void,
): void => {
  const reference = `${order.prefix}${number.toString(36)}`
  let status = 0
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
      onResponseStart: (_controller, code) => {
        status = code
      },
      onResponseData: (_controller, chunk) => {
        text += chunk.toString('utf8')
      },
      onResponseEnd: () => then(status, status === 200 ? Number(JSON.parse(text).transaction_id) : 0),
      onResponseError: () => then(0, 0),
    },
  )
}

const run = async (order: PartnerOrder): Promise<PartnerPayment[]> => {
  const pool = new Pool(order.url, { connections: CONNECTIONS })
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
  const send = (dueMs: number): void => {
    const payment = {
      reference: `${order.prefix}${payments.length.toString(36)}`,
      dueMs,
      answeredMs: 0,
      status: 0,
      deliveredMs: 0,
      times: 0,
    }
    underWay += 1
    ask(pool, order, payments.push(payment) - 1, (status, id) => {
      payment.answeredMs = nowMs()
      payment.status = status
      if (status === 200) answered.set(id, payment)
      if (status !== 200 || arrivals.has(id)) finish()
    })
  }
  const more = (): void => {
    if (order.clients === undefined) return
    while (underWay < order.clients && payments.length < order.count) send(nowMs())
  }
  more()
  if (order.perSecond !== undefined) {
    const beganMs = nowMs()
    for (let number = 0; number < order.count; number += 1) {
      const dueMs = beganMs + (number * 1000) / order.perSecond
      while (dueMs > nowMs()) await pause(1)
      send(dueMs)
    }
  }
  while ((underWay > 0 || payments.length < order.count) && nowMs() - lastMs < PATIENCE_MS) await pause(5)
  // A second delivery of one outcome would come soon after the first.
  await pause(50)
  for (const [id, payment] of answered) {
    const arrival = arrivals.get(id)
    if (arrival !== undefined) Object.assign(payment, { deliveredMs: arrival.atMs, times: arrival.times })
  }
  arrivals.clear()
  await pool.destroy()
  return payments
}

process.stdout.write(`${JSON.stringify({ ready: true })}\n`)
for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await run(JSON.parse(line) as PartnerOrder))}\n`)
}
