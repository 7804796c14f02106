import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { Pool } from 'undici'

// Daraja that costs as little as can be: gives a token, takes a push after `answerMs`, and POSTs its callback `payerMs` later, once.
// `POST /_take` answers with what it saw since it was last asked, as lines of `reference pushed-at called-back-at pushes answers`,
// times in ms since 1970, and forgets it. `answers`: how many callbacks were answered 200.

const [answerMs = 5, payerMs = 20] = process.argv.slice(2).map(Number)

type Seen = { pushedAt: number; calledBackAt: number; pushes: number; answers: number }

let seen = new Map<string, Seen>()

const nowMs = (): number => performance.timeOrigin + performance.now()

const CALLBACK_CONNECTIONS = 64

const pools = new Map<string, Pool>()

const poolOf = (origin: string): Pool => {
  const known = pools.get(origin)
  if (known !== undefined) return known
  const pool = new Pool(origin, { connections: CALLBACK_CONNECTIONS })
  pools.set(origin, pool)
  return pool
}

type Push = { Amount: number; PhoneNumber: number; CallBackURL: string; AccountReference: string }

const note = (reference: string): Seen => {
  const known = seen.get(reference)
  if (known !== undefined) {
    known.pushes += 1
    return known
  }
  const first = { pushedAt: nowMs(), calledBackAt: 0, pushes: 1, answers: 0 }
  seen.set(reference, first)
  return first
}

let count = 0

const RUN = Date.now().toString(36).toUpperCase()

const receiptOf = (number: number): string => `${RUN}${number.toString(36).toUpperCase()}`

const takePush = (push: Push, response: ServerResponse): void => {
  const one = note(push.AccountReference)
  count += 1
  const ids = {
    MerchantRequestID: `bench-${RUN}-${count}`,
    CheckoutRequestID: `ws_CO_${RUN}${count}`,
  }
  const receipt = receiptOf(count)
  setTimeout(() => {
    const answer = JSON.stringify({
      ...ids,
      ResponseCode: '0',
      ResponseDescription: 'Success',
      CustomerMessage: 'Success',
    })
    response
      .writeHead(200, { 'content-type': 'application/json', 'content-length': answer.length })
      .end(answer)
    setTimeout(() => callBack(push, one, callbackOf(push, ids, receipt)), payerMs)
  }, answerMs)
}

const callbackOf = (push: Push, ids: Record<string, string>, receipt: string): string =>
  JSON.stringify({
    Body: {
      stkCallback: {
        ...ids,
        ResultCode: 0,
        ResultDesc: 'The service request is processed successfully.',
        CallbackMetadata: {
          Item: [
            { Name: 'Amount', Value: push.Amount },
            { Name: 'MpesaReceiptNumber', Value: receipt },
            { Name: 'TransactionDate', Value: 20260504210428 },
            { Name: 'PhoneNumber', Value: push.PhoneNumber },
          ],
        },
      },
    },
  })

// Without the promises and streams of a request: what is spent here is missing there.
const callBack = (push: Push, one: Seen, body: string): void => {
  const { origin, pathname, search } = new URL(push.CallBackURL)
  one.calledBackAt = nowMs()
  poolOf(origin).dispatch(
    {
      method: 'POST',
      path: `${pathname}${search}`,
      headers: { 'content-type': 'application/json;charset=UTF-8', businessshortcode: '174379' },
      body,
    },
    {
      onRequestStart: () => undefined,
      onResponseData: () => undefined,
      onResponseEnd: () => undefined,
      onResponseError: () => undefined,
      onResponseStart: (_controller, status) => {
        if (status === 200) one.answers += 1
      },
    },
  )
}

const take = (): string => {
  const lines = [...seen].map(
    ([reference, { pushedAt, calledBackAt, pushes, answers }]) =>
      `${reference} ${pushedAt.toFixed(3)} ${calledBackAt.toFixed(3)} ${pushes} ${answers}`,
  )
  seen = new Map()
  return lines.join('\n')
}

const TOKEN = JSON.stringify({ access_token: 'bench', expires_in: '3599' })

const readBody = (request: IncomingMessage, then: (text: string) => void): void => {
  let text = ''
  request.setEncoding('utf8')
  request.on('data', (chunk: string) => {
    text += chunk
  })
  request.on('end', () => then(text))
}

const server = createServer((request, response) => {
  const path = request.url ?? ''
  if (path === '/_take') response.end(take())
  else if (path.startsWith('/oauth/')) response.setHeader('content-type', 'application/json').end(TOKEN)
  else readBody(request, (text) => takePush(JSON.parse(text) as Push, response))
})

// Connections that wait are not cut while another sends on them.
server.keepAliveTimeout = 60_000
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  process.stdout.write(`${JSON.stringify({ ready: true, url: `http://127.0.0.1:${port}` })}\n`)
})
