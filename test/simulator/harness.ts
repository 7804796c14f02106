import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import { Writable } from 'node:stream'
import { request } from 'undici'
import { onTestFinished, vi } from 'vitest'
import { z } from 'zod'
import { type Clock, systemClock } from '../../src/runtime/clock.ts'
import { createLog } from '../../src/runtime/log.ts'
import type { RunPlan } from '../../src/simulator/choose.ts'
import { OUTCOMES } from '../../src/simulator/outcomes.ts'
import { startSimulator } from '../../src/simulator/server.ts'
import { toDarajaTimestamp } from '../../src/values/instant.ts'

export type Answer = { status: number; body: Record<string, string> }

const answerBody = z.record(z.string(), z.string())

/** What the ledger answers, as far as a test reads it; all else is kept for comparing. */
const ledgerAnswer = z.looseObject({
  prompts: z.number(),
  pushes: z.number(),
  refused: z.number(),
  misbehaviours: z.record(z.string(), z.number()),
  prompts_by_callback_url: z.record(z.string(), z.number()),
  entries: z.array(
    z.looseObject({
      warnings: z.array(z.string()),
      transactions: z.array(z.looseObject({ receipt: z.string() })),
      callbacks: z.array(z.looseObject({ status: z.number().nullable(), error: z.string().nullable() })),
    }),
  ),
})

/** What the simulator under test is started with. */
export type SimulatorOptions = {
  callbackDelayMs: number
  plan?: RunPlan
  clock?: Clock
  /** The consumer key whose token every call carries. */
  consumerKey?: string
}

/** A simulator of its own for one test, on a free port, and what a client says to it. Closed when the test ends. */
export const openSimulator = async (options: SimulatorOptions) => {
  const logLines: string[] = []
  const to = new Writable({ write: (chunk, _encoding, done) => done(void logLines.push(String(chunk))) })
  const log = createLog({ name: 'simulator', level: 'trace', to })
  const simulator = await startSimulator({
    host: '127.0.0.1',
    port: 0,
    log,
    clock: systemClock,
    random: Math.random,
    ...options,
  })
  onTestFinished(() => simulator.close())

  const fetchToken = async (consumerKey = options.consumerKey ?? 'key'): Promise<string> => {
    const answer = await fetchAnswer(`${simulator.url}/oauth/v1/generate?grant_type=client_credentials`, {
      authorization: basic(`${consumerKey}:secret`),
    })
    return z.object({ access_token: z.string() }).parse(JSON.parse(answer.text)).access_token
  }
  const token = await fetchToken()
  const post = (path: string, body: unknown, authorization = `Bearer ${token}`): Promise<Answer> =>
    send(`${simulator.url}${path}`, { authorization, 'content-type': 'application/json' }, body)

  return {
    ...simulator,
    logLines,
    token,
    fetchToken,
    post,
    /** A call whose answer may be anything. */
    postRaw: (path: string, body: unknown, bearer = token) =>
      fetchAnswer(`${simulator.url}${path}`, { authorization: `Bearer ${bearer}` }, JSON.stringify(body)),
    push: (body: unknown) => post('/mpesa/stkpush/v1/processrequest', body),
    query: (checkoutRequestId: unknown) =>
      post('/mpesa/stkpushquery/v1/query', { ...signature(), CheckoutRequestID: checkoutRequestId }),
    ledger: async (search = '') => {
      const answer = await request(`${simulator.url}/_ledger${search}`)
      return ledgerAnswer.parse(await answer.body.json())
    },
  }
}

/** Waits until the assertion holds, with patience for a loaded machine. */
export const eventually = <Value>(assertion: () => Value | Promise<Value>): Promise<Value> =>
  vi.waitFor(assertion, { timeout: 10_000, interval: 5 })

export const basic = (credentials: string): string => `Basic ${Buffer.from(credentials).toString('base64')}`

export const get = async (url: string, authorization?: string): Promise<Answer> => {
  const answer = await request(url, { headers: authorization === undefined ? {} : { authorization } })
  return { status: answer.statusCode, body: answerBody.parse(await answer.body.json()) }
}

/** What came back, whatever it is. */
export const fetchAnswer = async (url: string, headers: Record<string, string>, body?: string) => {
  const answer = await request(url, {
    method: body === undefined ? 'GET' : 'POST',
    headers,
    ...(body !== undefined && { body }),
  })
  return {
    status: answer.statusCode,
    contentType: answer.headers['content-type'],
    text: await answer.body.text(),
  }
}

const send = async (url: string, headers: Record<string, string>, body: unknown): Promise<Answer> => {
  const answer = await request(url, {
    method: 'POST',
    headers,
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })
  return { status: answer.statusCode, body: answerBody.parse(await answer.body.json()) }
}

/** Shortcode, password and timestamp as a client sends them now. */
export const signature = (timestamp = toDarajaTimestamp(new Date())) => ({
  BusinessShortCode: 174379,
  Password: Buffer.from(`174379passkey${timestamp}`).toString('base64'),
  Timestamp: timestamp,
})

/** A push that Daraja accepts and that keeps to its documentation; `change` replaces or, with undefined, leaves out. */
export const pushBody = (change: Record<string, unknown> = {}): Record<string, unknown> => ({
  ...signature(),
  TransactionType: 'CustomerPayBillOnline',
  Amount: 150,
  PartyA: 254712345678,
  PartyB: 174379,
  PhoneNumber: 254712345678,
  CallBackURL: 'http://127.0.0.1:9/callbacks/stk/1',
  AccountReference: 'INV2025001',
  TransactionDesc: 'Payment',
  ...change,
})

export type Received = { url: string; headers: IncomingHttpHeaders; rawHeaders: string[]; body: string }

/** An HTTP server that keeps what is posted to it and answers every time with `status`. Closed when the test ends. */
export const openReceiver = async (options: { status: number } = { status: 200 }) => {
  const received: Received[] = []
  const server = createServer((incoming, answer) => {
    const chunks: Buffer[] = []
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
    incoming.on('end', () => {
      const { url = '', headers, rawHeaders } = incoming
      received.push({ url, headers, rawHeaders, body: Buffer.concat(chunks).toString() })
      answer.writeHead(options.status, { 'content-type': 'application/json' })
      answer.end('{"ResultCode":0,"ResultDesc":"Success"}')
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: listeningUrl(server), received }
}

/** Where a server on 127.0.0.1 listens. */
export const listeningUrl = (server: Server): string => {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the server does not listen on a port')
  return `http://127.0.0.1:${address.port}`
}

/** A simulator and a receiver, and a push that the outcome's phone number, or its amount, chooses. */
export const openStage = async (options: SimulatorOptions) => {
  const simulator = await openSimulator(options)
  const receiver = await openReceiver()
  const body = (outcome: string, amount = 150) => {
    const phone = OUTCOMES.find(({ name }) => name === outcome)?.phones[0] ?? '254712345678'
    // Daraja refuses callback URLs with "query" in them.
    const CallBackURL = `${receiver.url}/callbacks/stk/${outcome.replace('query', 'asked')}`
    return pushBody({ PartyA: phone, PhoneNumber: phone, Amount: amount, CallBackURL })
  }
  const callbacks = () => receiver.received.map((post) => JSON.parse(post.body).Body.stkCallback)
  return { simulator, receiver, body, callbacks, push: (outcome: string) => simulator.push(body(outcome)) }
}
