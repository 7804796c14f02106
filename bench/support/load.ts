import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import autocannon from 'autocannon'

const run = promisify(execFile)

/** What a load of so many seconds came to. */
export type LoadResult = { perSecond: number; p50Ms: number; p99Ms: number; failed: number }

export type Load = {
  url: string
  apiKey: string
  connections: number
  seconds: number
}

export type LoadGenerator = { name: string; load: (load: Load) => Promise<LoadResult> }

const SCRIPT = fileURLToPath(new URL('load.lua', import.meta.url))
const PATH = '/api/v1/mpesa/stk_push'
const BODY = JSON.stringify({
  phone: '254712345678',
  amount: 150,
  reference: 'INV-2025-001',
  callback_url: 'https://yourapp.example.com/payment_callback',
})

/**
 * `wrk` where the machine has it, for it leaves the servers nearly all of the machine; else `autocannon`, which needs a core
 * of its own and so flatters whatever is slow. Every request has an idempotency key of its own.
 */
export const findLoadGenerator = async (): Promise<LoadGenerator> =>
  (await hasWrk()) ? { name: 'wrk', load: loadWithWrk } : { name: 'autocannon', load: loadWithAutocannon }

export const hasWrk = (): Promise<boolean> =>
  run('wrk', ['-v']).then(
    () => true,
    (error: unknown) => !(error instanceof Error && 'code' in error && error.code === 'ENOENT'),
  )

const loadWithWrk = (load: Load): Promise<LoadResult> =>
  runWrk({ ...load, script: SCRIPT, environment: { BENCH_RUN: newRun(), BENCH_API_KEY: load.apiKey } })

/** Runs `wrk` with a script that prints its result as one line of JSON. */
export const runWrk = async (options: {
  url: string
  connections: number
  seconds: number
  script: string
  environment: Record<string, string>
}): Promise<LoadResult> => {
  const { stdout } = await run(
    'wrk',
    ['-t1', `-c${options.connections}`, `-d${options.seconds}s`, '-s', options.script, options.url],
    { env: { ...process.env, ...options.environment } },
  )
  const line = stdout.trim().split('\n').at(-1) ?? '{}'
  const told = JSON.parse(line) as {
    requests: number
    seconds: number
    p50_ms: number
    p99_ms: number
    failed: number
  }
  return {
    perSecond: told.requests / told.seconds,
    p50Ms: told.p50_ms,
    p99Ms: told.p99_ms,
    failed: told.failed,
  }
}

const loadWithAutocannon = async (load: Load): Promise<LoadResult> => {
  const prefix = newRun()
  let count = 0
  const result = await autocannon({
    url: load.url,
    connections: load.connections,
    duration: load.seconds,
    requests: [
      {
        method: 'POST',
        path: PATH,
        body: BODY,
        headers: { 'content-type': 'application/json', 'x-api-key': load.apiKey },
        setupRequest: (request) => {
          count += 1
          return { ...request, headers: { ...request.headers, 'x-idempotency-key': `${prefix}-${count}` } }
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

const newRun = (): string => randomBytes(8).toString('hex')
