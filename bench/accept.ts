import { randomBytes } from 'node:crypto'
import { Client } from 'pg'
import { migrateToLatest } from '../src/database/migrate.ts'
import { createLog } from '../src/runtime/log.ts'
import { findPostgres } from '../test/support/services.ts'
import { findLoadGenerator, type LoadGenerator, type LoadResult } from './support/load.ts'
import { median, printTable } from './support/report.ts'
import { startBenchServer } from './support/server-process.ts'

/** In the order they run: the two yardsticks and, between them, what is measured. */
const SERVERS = ['echo', 'accept', 'one-insert'] as const

type ServerName = (typeof SERVERS)[number]

const CONNECTIONS = 64

/**
 * `npm run bench accept`: requests a second and p99 of `stk_push` at 64 connections, each with a durable commit, beside a
 * bare `node:http` JSON echo and beside Fastify with one INSERT a request. The three take turns for `rounds` rounds of
 * `seconds`, so that the machine's moods hit all of them; printed are medians, and ratios of each round's figures.
 */
export const benchAccept = async (options: { rounds: number; seconds: number }): Promise<void> => {
  const say = (text: string): void => void process.stderr.write(`bench: ${text}\n`)
  const postgres = await findPostgres({ environment: process.env, dataFolder: '.data/bench', say })
  const name = `gateway_bench_${randomBytes(4).toString('hex')}`
  const databaseUrl = new URL(postgres.url)
  databaseUrl.pathname = `/${name}`
  try {
    await runStatement(postgres.url, `CREATE DATABASE ${name}`)
    await migrateToLatest({ databaseUrl: databaseUrl.href, log: createLog({ name: 'bench', level: 'warn' }) })
    const generator = await findLoadGenerator()
    say(
      `Postgres ${postgres.origin}, load by ${generator.name}, ${options.rounds} rounds of ${options.seconds} s`,
    )
    const results = await measure({ ...options, databaseUrl: databaseUrl.href, generator })
    report(results)
  } finally {
    await runStatement(postgres.url, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`)
    await postgres.stop()
  }
}

type Results = Record<ServerName, LoadResult[]>

const measure = async (options: {
  rounds: number
  seconds: number
  databaseUrl: string
  generator: LoadGenerator
}): Promise<Results> => {
  const results: Results = { echo: [], accept: [], 'one-insert': [] }
  // The first round warms the compiler, the page cache and the tables, and is not counted.
  for (let round = 0; round <= options.rounds; round += 1) {
    for (const name of SERVERS) {
      const result = await measureOnce({ ...options, name })
      if (round > 0) results[name].push(result)
    }
  }
  return results
}

/** Each turn has a fresh process, warmed for two seconds before it counts. */
const measureOnce = async (options: {
  name: ServerName
  seconds: number
  databaseUrl: string
  generator: LoadGenerator
}): Promise<LoadResult> => {
  const server = await startBenchServer(options.name, { DATABASE_URL: options.databaseUrl })
  try {
    const load = {
      url: server.ready['url'] ?? '',
      apiKey: server.ready['api_key'] ?? 'none',
      connections: CONNECTIONS,
    }
    await options.generator.load({ ...load, seconds: 2 })
    return await options.generator.load({ ...load, seconds: options.seconds })
  } finally {
    await server.stop()
  }
}

const report = (results: Results): void => {
  printTable(
    SERVERS.map((name) => ({
      server: name,
      'requests/s': Math.round(median(results[name].map((result) => result.perSecond))),
      'p50 ms': median(results[name].map((result) => result.p50Ms)).toFixed(1),
      'p99 ms': median(results[name].map((result) => result.p99Ms)).toFixed(1),
      failed: results[name].reduce((sum, result) => sum + result.failed, 0),
    })),
  )
  for (const [yardstick, aim] of [
    ['echo', 0.5],
    ['one-insert', 3.5],
  ] as const) {
    const ratios = results.accept.map(
      (result, round) => result.perSecond / (results[yardstick][round]?.perSecond ?? 0),
    )
    process.stdout.write(
      `accept / ${yardstick}: ${median(ratios).toFixed(2)} (${ratios.map((ratio) => ratio.toFixed(2)).join(', ')}), aim ${aim}\n`,
    )
  }
}

const runStatement = async (databaseUrl: string, statement: string): Promise<void> => {
  const client = new Client({ connectionString: databaseUrl })
  await client.connect()
  try {
    await client.query(statement)
  } finally {
    await client.end()
  }
}
