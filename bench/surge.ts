import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { sql } from 'kysely'
import { Agent } from 'undici'
import { createPartner } from '../src/core/partners/partner.ts'
import { connectDatabase, type Database } from '../src/database/connect.ts'
import { migrateToLatest } from '../src/database/migrate.ts'
import { createLog } from '../src/runtime/log.ts'
import { createVault } from '../src/runtime/seal.ts'
import { testActor } from '../test/support/actor.ts'
import { freePort } from '../test/support/ports.ts'
import { cpuSeconds } from './support/cpu-time.ts'
import { startBenchPostgres } from './support/postgres.ts'
import { printTable } from './support/report.ts'
import { startGateway } from './support/server-process.ts'

/** A payer of the simulator's who pays after twenty delays, which is when it answers pushes, too. */
const PAYER = '254700000021'
const DELAYS = 20

/** The partner's. */
const CONNECTIONS = 64

/** The longest that is waited for what was asked last, ms. */
const PATIENCE_MS = 120_000

type SurgeOptions = { perSecond: number; seconds: number; darajaMs: number; concurrency: string | undefined }

/**
 * `npm run bench surge`: payments at a steady rate while Daraja takes its time for every push: how long they wait to be pushed,
 * how many are pushed at once, and whether any of them is given up.
 */
export const benchSurge = async (options: SurgeOptions): Promise<void> => {
  const say = (text: string): void => void process.stderr.write(`bench: ${text}\n`)
  const folder = await mkdtemp(join(tmpdir(), 'gateway-bench-'))
  const postgres = await startBenchPostgres({ dataFolder: join(folder, 'postgres'), say })
  const log = createLog({ name: 'bench', level: 'warn' })
  await migrateToLatest({ databaseUrl: postgres.url, log })
  const database = connectDatabase({ databaseUrl: postgres.url, poolSize: 2, log })
  const secretKey = randomBytes(32)
  const vault = createVault({ secretKey, previousSecretKey: null, randomBytes })
  const { apiKey } = await createPartner({ actor: testActor, database, vault, randomBytes, name: 'Surge' })
  const simulator = await startGateway('simulator', {
    SIMULATOR_PORT: '0',
    SIMULATOR_CALLBACK_DELAY_MS: String(Math.round(options.darajaMs / DELAYS)),
    SIMULATOR_MISBEHAVIOURS: 'slow-reply=1',
    LOG_LEVEL: 'error',
  })
  const port = await freePort()
  const serve = await startGateway('serve', {
    DATABASE_URL: postgres.url,
    SECRET_KEY: secretKey.toString('hex'),
    SPOOL_DIR: join(folder, 'spool'),
    ...environmentOf({ port, darajaUrl: simulator.ready['simulator_url'] ?? '', ...options }),
  })
  const cpu = async () => ({ serve: await cpuSeconds(serve.pid), postgres: await cpuSeconds(postgres.pid) })
  try {
    say(`${options.perSecond} payments a second for ${options.seconds} s`)
    const before = await cpu()
    const refused = await offer({ url: `http://127.0.0.1:${port}`, apiKey, ...options })
    await untilNoneIsOpen(database)
    const [after, figures] = [await cpu(), await readFigures(database)]
    const usOf = (what: 'serve' | 'postgres') =>
      Math.round((((after[what] ?? 0) - (before[what] ?? 0)) * 1e6) / figures.payments)
    printTable([{ ...figures, refused, 'serve µs': usOf('serve'), 'postgres µs': usOf('postgres') }])
  } finally {
    await serve.stop('SIGTERM')
    await simulator.stop('SIGTERM')
    await database.destroy()
    await postgres.stop()
    await rm(folder, { recursive: true, force: true })
  }
}

const environmentOf = (given: { port: number; darajaUrl: string; concurrency: string | undefined }) => ({
  HTTP_PORT: String(given.port),
  GRPC_PORT: '0',
  CONNECT_PORT: '0',
  OPS_PORT: '0',
  PUBLIC_URL: `http://127.0.0.1:${given.port}`,
  CALLBACK_SOURCES_MODE: 'off',
  CALLBACK_ALLOW_HTTP: 'on',
  CALLBACK_ALLOW_PRIVATE_NETWORKS: 'on',
  DARAJA_BASE_URL: given.darajaUrl,
  DARAJA_CONSUMER_KEY: 'key',
  DARAJA_CONSUMER_SECRET: 'secret',
  DARAJA_SHORTCODE: '174379',
  DARAJA_PASSKEY: 'passkey',
  ...(given.concurrency !== undefined && { SUBMIT_CONCURRENCY: given.concurrency }),
})

/** Asks for payments, each when it is its turn, whatever became of those before; resolves with how many were refused. */
const offer = async (given: SurgeOptions & { url: string; apiKey: string }): Promise<number> => {
  const count = given.perSecond * given.seconds
  const agent = new Agent({ connections: CONNECTIONS })
  const beganMs = performance.now()
  const asked: Promise<boolean>[] = []
  for (let number = 0; number < count; number += 1) {
    const waitMs = beganMs + (number * 1000) / given.perSecond - performance.now()
    if (waitMs > 1) await pause(waitMs)
    asked.push(ask(agent, given))
  }
  const refused = (await Promise.all(asked)).filter((isAccepted) => !isAccepted).length
  await agent.close()
  return refused
}

const ask = async (agent: Agent, { url, apiKey }: { url: string; apiKey: string }): Promise<boolean> => {
  const { statusCode, body } = await agent.request({
    origin: url,
    path: '/api/v1/mpesa/stk_push',
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-api-key': apiKey },
    body: JSON.stringify({
      phone: PAYER,
      amount: 150,
      reference: 'INV-2025-001',
      callback_url: 'https://yourapp.example.com/payment_callback',
    }),
  })
  await body.dump()
  return statusCode === 200
}

const untilNoneIsOpen = async (database: Database): Promise<void> => {
  const untilMs = performance.now() + PATIENCE_MS
  for (;;) {
    const { rows } = await sql<{ open: bigint }>`
      SELECT count(*) AS open FROM payments WHERE state NOT IN ('successful', 'failed')
    `.execute(database)
    if (rows[0]?.open === 0n || performance.now() > untilMs) return
    await pause(500)
  }
}

/** By the history: what waits is accepted and not taken, what is under way is taken and its answer not recorded. */
const readFigures = async (database: Database) => {
  const { rows } = await sql<Record<string, number> & { payments: number }>`
    WITH pushed AS (
      SELECT payment_id, min(at) FILTER (WHERE to_state = 'submitting') AS taken_at,
        min(at) FILTER (WHERE from_state = 'submitting') AS recorded_at
      FROM payment_history GROUP BY payment_id
    ), steps AS (
      SELECT taken_at AS at, 1 AS step FROM pushed UNION ALL SELECT recorded_at, -1 FROM pushed
    ), under_way AS (
      SELECT sum(step) OVER (ORDER BY at) AS pushes FROM steps WHERE at IS NOT NULL
    ), waits AS (
      SELECT extract(epoch FROM taken_at - created_at) * 1000 AS ms FROM payments JOIN pushed ON payment_id = id
    )
    SELECT (SELECT count(*) FROM payments)::float8 AS payments,
      (SELECT count(*) FROM payments WHERE state = 'successful')::float8 AS successful,
      (SELECT count(*) FROM payments WHERE result_code = 'NOT_PROMPTED')::float8 AS not_prompted,
      (SELECT count(*) FROM payments WHERE state NOT IN ('successful', 'failed'))::float8 AS open,
      round((SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY ms) FROM waits))::float8 AS wait_p50_ms,
      round((SELECT percentile_disc(0.99) WITHIN GROUP (ORDER BY ms) FROM waits))::float8 AS wait_p99_ms,
      round((SELECT max(ms) FROM waits))::float8 AS wait_max_ms,
      round((SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM recorded_at - taken_at) * 1000) FROM pushed))::float8
        AS push_p50_ms,
      (SELECT max(pushes) FROM under_way)::float8 AS most_at_once
  `.execute(database)
  return rows[0] ?? { payments: 0 }
}
