import { randomBytes } from 'node:crypto'
import { connect, type Socket } from 'node:net'
import { createInterface } from 'node:readline'

// Knocks with keys that nobody has. Told `{"url":…,"perSecond":…,"seconds":…}` on a line, it sends so many requests for payments
// a second, each with another random key, and answers with a line of how many it sent and what they were answered.
const CONNECTIONS = 100

/** The addresses of one Linux machine's loopback from which it comes; elsewhere there is one only. */
const ADDRESSES = 20

const TICK_MS = 2

/** How long answers are waited for at the end, ms. */
const PATIENCE_MS = 2_000

const BODY = JSON.stringify({
  phone: '254712345678',
  amount: 150,
  callback_url: 'https://yourapp.example.com/payment_callback',
})

type Order = { url: string; perSecond: number; seconds: number }

const requestText = (host: string): string =>
  `POST /api/v1/mpesa/stk_push HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/json\r\n` +
  `X-API-KEY: mpg_${randomBytes(36).toString('base64url').slice(0, 49).replaceAll(/[-_]/g, '0')}\r\n` +
  `Content-Length: ${BODY.length}\r\n\r\n${BODY}`

const countAnswers = (socket: Socket, answers: Record<string, number>): void => {
  socket.on('error', () => undefined)
  socket.on('data', (chunk: Buffer) => {
    for (const [, status = ''] of chunk.toString('latin1').matchAll(/HTTP\/1\.1 (\d{3})/g)) {
      answers[status] = (answers[status] ?? 0) + 1
    }
  })
}

/** Connects one of the many, in place of one that was cut. */
const open = (url: URL, slot: number, answers: Record<string, number>): Socket => {
  const localAddress = process.platform === 'linux' ? `127.0.1.${1 + (slot % ADDRESSES)}` : undefined
  const socket = connect({
    host: url.hostname,
    port: Number(url.port),
    ...(localAddress !== undefined && { localAddress }),
  })
  countAnswers(socket, answers)
  return socket
}

const flood = async ({ url: text, perSecond, seconds }: Order): Promise<string> => {
  const url = new URL(text)
  const answers: Record<string, number> = {}
  const sockets = Array.from({ length: CONNECTIONS }, (_one, slot) => open(url, slot, answers))
  const send = (slot: number): void => {
    const socket = sockets[slot]
    const usable =
      socket === undefined || socket.destroyed || !socket.writable ? open(url, slot, answers) : socket
    sockets[slot] = usable
    usable.write(requestText(url.host))
  }
  const beganMs = performance.now()
  let sent = 0
  await new Promise<void>((resolve) => {
    const timer = setInterval(() => {
      const elapsedS = Math.min(seconds, (performance.now() - beganMs) / 1000)
      for (; sent < elapsedS * perSecond; sent += 1) send(sent % CONNECTIONS)
      if (elapsedS < seconds) return
      clearInterval(timer)
      resolve()
    }, TICK_MS)
  })
  // What is not answered by now was cut, or is not read.
  await new Promise((resolve) => setTimeout(resolve, PATIENCE_MS))
  for (const socket of sockets) socket.destroy()
  const answered = Object.values(answers).reduce((sum, count) => sum + count, 0)
  return JSON.stringify({ sent, answers: { ...answers, 'not at all': sent - answered } })
}

process.stdout.write('{"ready":true}\n')
for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${await flood(JSON.parse(line) as Order)}\n`)
}
