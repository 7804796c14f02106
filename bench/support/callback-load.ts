import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import autocannon from 'autocannon'
import { Pool } from 'undici'
import { hasWrk, type LoadResult, runWrk } from './load.ts'

const SCRIPT = fileURLToPath(new URL('callbacks.lua', import.meta.url))

const HEADERS = { 'content-type': 'application/json;charset=UTF-8', businessshortcode: '174379' }

/** A callback of today's form that tells of a payment; MARK stands where its receipt differs from others. */
const BODY = JSON.stringify({
  Body: {
    stkCallback: {
      MerchantRequestID: '2654-4b64-97ff-b827b542881d3130',
      CheckoutRequestID: 'ws_CO_04052026210410237712345678',
      ResultCode: 0,
      ResultDesc: 'The service request is processed successfully.',
      CallbackMetadata: {
        Item: [
          { Name: 'Amount', Value: 150 },
          { Name: 'MpesaReceiptNumber', Value: 'UEMARK' },
          { Name: 'TransactionDate', Value: 20260504210428 },
          { Name: 'PhoneNumber', Value: 254712345678 },
        ],
      },
    },
  },
})

const pathOf = (token: string): string => `/callbacks/stk/${token}`

/** Each payment has a receipt of its own: it ends with the last digits of its id, which its token begins with. */
const bodyOf = (token: string): string => BODY.replace('MARK', token.slice(8, 16).toUpperCase())

/** As many callbacks as the server takes, each under the next of `tokens`, on `connections` for `seconds`. */
export const loadWithCallbacks = async (options: {
  url: string
  tokens: readonly string[]
  connections: number
  seconds: number
}): Promise<LoadResult> => {
  if (!(await hasWrk())) return loadWithAutocannon(options)
  const folder = await mkdtemp(join(tmpdir(), 'gateway-bench-'))
  const file = join(folder, 'tokens')
  await writeFile(file, options.tokens.join('\n'))
  try {
    return await runWrk({ ...options, script: SCRIPT, environment: { BENCH_TOKENS: file } })
  } finally {
    await rm(folder, { recursive: true })
  }
}

const loadWithAutocannon = async (options: {
  url: string
  tokens: readonly string[]
  connections: number
  seconds: number
}): Promise<LoadResult> => {
  let count = 0
  const result = await autocannon({
    url: options.url,
    connections: options.connections,
    duration: options.seconds,
    requests: [
      {
        method: 'POST',
        body: BODY,
        headers: HEADERS,
        setupRequest: (request) => {
          count += 1
          const token = options.tokens[count % options.tokens.length] ?? ''
          return { ...request, path: pathOf(token), body: bodyOf(token) }
        },
      },
    ],
  })
  return {
    perSecond: result.requests.average,
    p50Ms: result.latency.p50,
    p99Ms: result.latency.p99,
    failed: result.errors + result.timeouts + result.non2xx,
  }
}

/**
 * Callbacks at a steady rate, whether or not those before were answered. Times are from the moment a callback was due, so
 * that a server which stalls cannot hide it by slowing us down.
 */
export const paceCallbacks = async (options: {
  url: string
  tokens: readonly string[]
  perSecond: number
  connections: number
}): Promise<LoadResult & { maxMs: number }> => {
  const pool = new Pool(options.url, { connections: options.connections })
  const times: number[] = []
  let failed = 0
  const began = performance.now()
  // Without the promises and streams of a request: what is spent here is missing there.
  const send = (token: string, dueMs: number): Promise<void> =>
    new Promise((resolve) => {
      pool.dispatch(
        { method: 'POST', path: pathOf(token), headers: HEADERS, body: bodyOf(token) },
        {
          onRequestStart: () => undefined,
          onResponseData: () => undefined,
          onResponseStart: (_controller, status) => {
            if (status !== 200) failed += 1
          },
          onResponseEnd: () => {
            times.push(performance.now() - dueMs)
            resolve()
          },
          onResponseError: () => {
            failed += 1
            resolve()
          },
        },
      )
    })
  const answers: Promise<void>[] = []
  for (const [index, token] of options.tokens.entries()) {
    const dueMs = began + (index * 1000) / options.perSecond
    while (dueMs > performance.now()) await pause(1)
    answers.push(send(token, dueMs))
  }
  await Promise.all(answers)
  const seconds = (performance.now() - began) / 1000
  await pool.close()
  const sorted = times.sort((one, other) => one - other)
  const at = (share: number): number => sorted[Math.floor((sorted.length - 1) * share)] ?? Number.NaN
  return { perSecond: times.length / seconds, p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1), failed }
}
