import { randomBytes } from 'node:crypto'
import { Agent, request } from 'undici'
import { connectDatabase, type Database } from '../src/database/connect.ts'
import { migrateToLatest } from '../src/database/migrate.ts'
import { createLog } from '../src/runtime/log.ts'
import { findPostgres } from '../test/support/services.ts'
import { countKeyLookups, runStatement } from './support/key-lookups.ts'
import { median, printTable } from './support/report.ts'
import { type BenchServer, startBenchServer } from './support/server-process.ts'

/** What a partner's p99 may be beside a flood, in times its own without one. */
const AIM = 1.5

type Options = { requests: number; seconds: number; perSecond: number; rounds: number }

type Stage = { server: BenchServer; flooder: BenchServer; database: Database; options: Options }

type Round = {
  aloneMs: number[]
  besideMs: number[]
  failed: number
  answers: Record<string, number>
  lookups: number
}

/**
 * `npm run bench flood`: a partner asks for `perSecond` payments a second, half of the time alone and half of the time beside
 * `requests` requests with random keys in `seconds`, from twenty addresses. Printed are the partner's times, what the flood
 * was answered, and how often Postgres was asked for a key.
 */
export const benchFlood = async (options: Options): Promise<void> => {
  const say = (text: string): void => void process.stderr.write(`bench: ${text}\n`)
  const postgres = await findPostgres({ environment: process.env, dataFolder: '.data/bench', say })
  const name = `gateway_bench_${randomBytes(4).toString('hex')}`
  const databaseUrl = new URL(postgres.url)
  databaseUrl.pathname = `/${name}`
  const log = createLog({ name: 'bench', level: 'warn' })
  try {
    await runStatement(postgres.url, `CREATE DATABASE ${name}`)
    await migrateToLatest({ databaseUrl: databaseUrl.href, log })
    const server = await startBenchServer('accept', { DATABASE_URL: databaseUrl.href })
    const flooder = await startBenchServer('flood', {})
    const database = connectDatabase({ databaseUrl: databaseUrl.href, poolSize: 1, log })
    try {
      report(await measure({ server, flooder, database, options }))
    } finally {
      await Promise.all([server.stop(), flooder.stop(), database.destroy()])
    }
  } finally {
    await runStatement(postgres.url, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`)
    await postgres.stop()
  }
}

const measure = async (stage: Stage): Promise<Round[]> => {
  const { options } = stage
  // The first load warms the compiler, the page cache and the tables, and is not counted.
  await pace(stage, 3)
  await orderFlood(stage, 1)
  const rounds: Round[] = []
  for (let number = 0; number < options.rounds; number += 1) {
    // Before and after it, so that the machine's moods hit both alike.
    const before = await pace(stage, options.seconds / 2)
    const lookupsBefore = await countKeyLookups(stage.database)
    const [beside, flood] = await Promise.all([
      pace(stage, options.seconds),
      orderFlood(stage, options.seconds),
    ])
    const lookups = (await countKeyLookups(stage.database)) - lookupsBefore
    const after = await pace(stage, options.seconds / 2)
    rounds.push({
      aloneMs: [...before.timesMs, ...after.timesMs],
      besideMs: beside.timesMs,
      failed: before.failed + beside.failed + after.failed,
      answers: flood.answers,
      lookups,
    })
  }
  return rounds
}

const orderFlood = async (
  { flooder, server, options }: Stage,
  seconds: number,
): Promise<{ answers: Record<string, number> }> => {
  const order = { url: server.ready['url'], perSecond: options.requests / options.seconds, seconds }
  return JSON.parse(await flooder.ask(JSON.stringify(order))) as { answers: Record<string, number> }
}

/** Asks for payments at an even pace, whatever the answers take; resolves with how long each took, ms. */
const pace = async (
  { server, options }: Stage,
  seconds: number,
): Promise<{ timesMs: number[]; failed: number }> => {
  const agent = new Agent({ connections: 16, pipelining: 1 })
  const timesMs: number[] = []
  let failed = 0
  const ask = async (dueMs: number): Promise<void> => {
    const { statusCode, body } = await request(`${server.ready['url']}/api/v1/mpesa/stk_push`, {
      method: 'POST',
      dispatcher: agent,
      headers: { 'content-type': 'application/json', 'x-api-key': server.ready['api_key'] ?? '' },
      body: JSON.stringify({
        phone: '254712345678',
        amount: 150,
        callback_url: 'https://yourapp.example.com/payment_callback',
      }),
    })
    await body.dump()
    if (statusCode !== 200) failed += 1
    timesMs.push(performance.now() - dueMs)
  }
  const asked: Promise<void>[] = []
  const beganMs = performance.now()
  for (let number = 0; number < seconds * options.perSecond; number += 1) {
    const dueMs = beganMs + (number * 1000) / options.perSecond
    const waitMs = dueMs - performance.now()
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs))
    asked.push(ask(performance.now()))
  }
  await Promise.all(asked)
  await agent.close()
  return { timesMs, failed }
}

const percentile = (timesMs: readonly number[], part: number): number =>
  timesMs.toSorted((one, other) => one - other)[Math.ceil(timesMs.length * part) - 1] ?? 0

const report = (rounds: readonly Round[]): void => {
  printTable(
    rounds.flatMap(({ aloneMs, besideMs, failed, answers, lookups }) => [
      {
        partner: 'alone',
        requests: aloneMs.length,
        ...figuresOf(aloneMs),
        failed: '',
        flood: '',
        lookups: '',
      },
      {
        partner: 'beside the flood',
        requests: besideMs.length,
        ...figuresOf(besideMs),
        failed,
        flood: Object.entries(answers)
          .map(([status, count]) => `${count} times ${status}`)
          .join(', '),
        lookups,
      },
    ]),
  )
  const ratios = rounds.map(({ aloneMs, besideMs }) => percentile(besideMs, 0.99) / percentile(aloneMs, 0.99))
  const all = ratios.map((ratio) => ratio.toFixed(2)).join(', ')
  process.stdout.write(`p99 beside / alone: ${median(ratios).toFixed(2)} (${all}), aim at most ${AIM}\n`)
}

const figuresOf = (timesMs: readonly number[]) => ({
  'p50 ms': percentile(timesMs, 0.5).toFixed(1),
  'p99 ms': percentile(timesMs, 0.99).toFixed(1),
})
