import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { createCallbackTokens } from '../src/core/callback/token.ts'
import { connectDatabase, type Database } from '../src/database/connect.ts'
import { migrateToLatest } from '../src/database/migrate.ts'
import { createLog } from '../src/runtime/log.ts'
import { loadWithCallbacks, paceCallbacks } from './support/callback-load.ts'
import type { LoadResult } from './support/load.ts'
import { countDeliveries, openPayments } from './support/open-payments.ts'
import { recycleLog, startBenchPostgres } from './support/postgres.ts'
import { median, printTable } from './support/report.ts'
import { startBenchServer } from './support/server-process.ts'

/** More than any machine of ours takes in a second. */
const MOST_PER_SECOND = 12_000

type Stage = {
  /** How many of Daraja's connections bring callbacks at once. */
  connections: number
  database: Database
  environment: Record<string, string>
  /** Tokens of payments made just now. */
  freshTokens(count: number): Promise<string[]>
}

/** What a load came to: what was answered a second, and what was settled a second until the last was. */
type Settled = LoadResult & { settledPerSecond: number }

/**
 * `npm run bench settle`: callbacks a second from Daraja's socket to a settled payment with its delivery, beside a bare
 * `node:http` echo of the same requests; then how long answers take at half of that rate, and at the same rate while
 * Postgres is stopped. Postgres is one of its own, since it is stopped.
 */
export const benchSettle = async (options: {
  rounds: number
  seconds: number
  connections: number
}): Promise<void> => {
  const say = (text: string): void => void process.stderr.write(`bench: ${text}\n`)
  const folder = await mkdtemp(join(tmpdir(), 'gateway-bench-'))
  const postgres = await startBenchPostgres({ dataFolder: join(folder, 'postgres'), say })
  const log = createLog({ name: 'bench', level: 'warn' })
  await migrateToLatest({ databaseUrl: postgres.url, log })
  const database = connectDatabase({ databaseUrl: postgres.url, poolSize: 2, log })
  const secretKey = randomBytes(32)
  const tokens = createCallbackTokens({ secretKey, previousSecretKey: null })
  const stage: Stage = {
    connections: options.connections,
    database,
    environment: {
      DATABASE_URL: postgres.url,
      SECRET_KEY: secretKey.toString('hex'),
      SPOOL_DIR: join(folder, 'spool'),
    },
    freshTokens: async (count) => {
      const fresh = await openPayments(database, tokens, count)
      await recycleLog(database)
      return fresh
    },
  }
  try {
    say(`${options.rounds} rounds of ${options.seconds} s, ${options.connections} connections`)
    const rate = Math.round((await measureRates(stage, options)) / 2)
    await measureAnswers({ stage, rate, seconds: options.seconds, stopPostgres: () => postgres.stop() })
  } finally {
    await database.destroy()
    await postgres.stop()
    await rm(folder, { recursive: true, force: true })
  }
}

/** Prints how much is settled a second beside the echo; resolves with the median of the former. */
const measureRates = async (stage: Stage, options: { rounds: number; seconds: number }): Promise<number> => {
  const rounds: { echo: LoadResult; settle: Settled }[] = []
  // The first round warms the page cache and the tables, and is not counted.
  for (let round = 0; round <= options.rounds; round += 1) {
    const one = {
      echo: await loadEcho(stage, options.seconds),
      settle: await loadSettle(stage, options.seconds),
    }
    if (round > 0) rounds.push(one)
  }
  printTable([
    { server: 'echo', ...figuresOf(rounds.map(({ echo }) => echo)), 'settled/s': '' },
    {
      server: 'settle',
      ...figuresOf(rounds.map(({ settle }) => settle)),
      'settled/s': Math.round(median(rounds.map(({ settle }) => settle.settledPerSecond))),
    },
  ])
  const ratios = rounds.map(({ echo, settle }) => settle.settledPerSecond / echo.perSecond)
  const all = ratios.map((ratio) => ratio.toFixed(2)).join(', ')
  process.stdout.write(`settled / echo: ${median(ratios).toFixed(2)} (${all}), aim 0.30\n`)
  return median(rounds.map(({ settle }) => settle.settledPerSecond))
}

const figuresOf = (results: readonly LoadResult[]) => ({
  'answers/s': Math.round(median(results.map(({ perSecond }) => perSecond))),
  'p50 ms': median(results.map(({ p50Ms }) => p50Ms)).toFixed(1),
  'p99 ms': median(results.map(({ p99Ms }) => p99Ms)).toFixed(1),
  failed: results.reduce((sum, { failed }) => sum + failed, 0),
})

const loadEcho = async ({ connections }: Stage, seconds: number): Promise<LoadResult> => {
  const server = await startBenchServer('echo', {})
  try {
    const load = { url: server.ready['url'] ?? '', tokens: ['0'.repeat(48)], connections }
    await loadWithCallbacks({ ...load, seconds: 2 })
    return await loadWithCallbacks({ ...load, seconds })
  } finally {
    await server.stop()
  }
}

/** The clock runs from the first callback until the last payment is settled. */
const loadSettle = async (stage: Stage, seconds: number): Promise<Settled> => {
  const server = await startBenchServer('settle', stage.environment)
  try {
    const load = { url: server.ready['url'] ?? '', connections: stage.connections }
    const forWarmth = await stage.freshTokens(2 * MOST_PER_SECOND)
    const counted = await stage.freshTokens(seconds * MOST_PER_SECOND)
    await loadWithCallbacks({ ...load, tokens: forWarmth, seconds: 2 })
    const before = await untilSettled(stage.database)
    const beganMs = performance.now()
    const result = await loadWithCallbacks({ ...load, tokens: counted, seconds })
    const after = await untilSettled(stage.database)
    return { ...result, settledPerSecond: (after - before) / ((performance.now() - beganMs) / 1000) }
  } finally {
    await server.stop()
  }
}

/** Resolves with the number of deliveries once no callback waits to be interpreted. */
const untilSettled = async (database: Database): Promise<number> => {
  for (;;) {
    const { settled, waiting } = await countDeliveries(database)
    if (waiting === 0) return settled
    await pause(20)
  }
}

/** Prints how long answers take at `rate` callbacks a second, with Postgres and then without. */
const measureAnswers = async (options: {
  stage: Stage
  rate: number
  seconds: number
  stopPostgres: () => Promise<void>
}): Promise<void> => {
  const { stage, rate, seconds } = options
  const server = await startBenchServer('settle', stage.environment)
  try {
    const load = { url: server.ready['url'] ?? '', perSecond: rate, connections: stage.connections }
    const tokens = await stage.freshTokens(3 * seconds * rate)
    const slice = (part: number) => tokens.slice(part * seconds * rate, (part + 1) * seconds * rate)
    await paceCallbacks({ ...load, tokens: slice(0).slice(0, rate) })
    const present = await paceCallbacks({ ...load, tokens: slice(1) })
    await options.stopPostgres()
    // The first callbacks find the outage out, and may wait for it: that figure is the largest, not the p99.
    await paceCallbacks({ ...load, tokens: slice(0).slice(rate, 2 * rate) })
    const away = await paceCallbacks({ ...load, tokens: slice(2) })
    printTable([
      { Postgres: 'there', ...answersOf(present), aim: 25 },
      { Postgres: 'stopped', ...answersOf(away), aim: 50 },
    ])
  } finally {
    await server.stop()
  }
}

const answersOf = (result: LoadResult & { maxMs: number }) => ({
  'callbacks/s': Math.round(result.perSecond),
  'p50 ms': result.p50Ms.toFixed(1),
  'p99 ms': result.p99Ms.toFixed(1),
  'max ms': result.maxMs.toFixed(1),
  failed: result.failed,
})
