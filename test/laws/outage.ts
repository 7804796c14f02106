import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Pool } from 'undici'
import { createPartner } from '../../src/core/partners/partner.ts'
import { connectDatabase, type Database } from '../../src/database/connect.ts'
import { migrateToLatest } from '../../src/database/migrate.ts'
import { type LocalServer, processesIn } from '../../src/local/local-server.ts'
import { startEmbeddedPostgres } from '../../src/local/postgres.ts'
import { testActor } from '../support/actor.ts'
import { callbackUrlOf } from '../support/callback-url.ts'
import { quietLog } from '../support/core.ts'
import { type GatewayProcess, startGatewayProcess } from '../support/gateway-process.ts'
import { TEST_SECRET_KEY, testVault } from '../support/vault.ts'

const SECRET_KEY = TEST_SECRET_KEY
const secretKey = Buffer.from(SECRET_KEY, 'hex')

/** Where a process listens, under `http_url`. */
export type Serving = Pick<GatewayProcess, 'ready'>

/** A Postgres of its own, which can be stopped, and processes of `serve` that share a spool. */
export type OutageStage = {
  postgres: {
    start(): Promise<void>
    stop(): Promise<void>
    /** Signals all its processes. */
    signal(signal: 'SIGSTOP' | 'SIGCONT'): Promise<void>
  }
  database: Database
  serve: GatewayProcess[]
  spoolFolder: string
  /** Starts one more `serve` on a port; resolves when it is ready. */
  startServe(httpPort: number): Promise<GatewayProcess>
  /** Asks a process for a payment; its status, and its id when it was accepted. */
  pay(serve: Serving): Promise<{ status: number; retryAfter: string | undefined; id: bigint }>
  /** Tells a process that a payment was paid. */
  callBack(serve: Serving, paymentId: bigint, number: number): Promise<CallbackSent>
  stop(): Promise<void>
}

/** A callback that was sent: what it said, and how it was answered; status 0: not at all. */
export type CallbackSent = { resultDesc: string; status: number; tookMs: number }

export const openOutageStage = async (): Promise<OutageStage> => {
  const folder = await mkdtemp(join(tmpdir(), 'gateway-outage-'))
  const spoolFolder = join(folder, 'spool')
  const say = (): void => undefined
  const dataFolder = join(folder, 'postgres')
  let server: LocalServer = await startEmbeddedPostgres({ dataFolder, say })
  const { url: databaseUrl, port } = server
  const postgres: OutageStage['postgres'] = {
    start: async () => {
      server = await startEmbeddedPostgres({ dataFolder, port, say })
    },
    stop: () => server.stop(),
    signal: async (signal) => {
      const all = await processesIn(join(dataFolder, 'cluster'))
      for (const pid of new Set([server.pid, ...all])) process.kill(pid, signal)
    },
  }
  await migrateToLatest({ databaseUrl, log: quietLog })
  const database = connectDatabase({ databaseUrl, poolSize: 2, log: quietLog })
  const { apiKey } = await createPartner({
    actor: testActor,
    database,
    name: 'Duka la Wanjiku',
    vault: testVault,
    randomBytes,
  })
  const simulator = await startGatewayProcess('simulator', { SIMULATOR_PORT: '0', LOG_LEVEL: 'error' })
  const environment = {
    ...serveEnvironment(databaseUrl, simulator.ready['simulator_url'] ?? ''),
    SPOOL_DIR: spoolFolder,
  }
  const pools = new Map<string, Pool>()
  const poolOf = (serve: Serving): Pool => {
    const url = serve.ready['http_url'] ?? ''
    const pool = pools.get(url) ?? new Pool(url, { connections: 32 })
    pools.set(url, pool)
    return pool
  }
  const processes = [simulator]
  const paths = new Map<bigint, string>()
  const startServe = async (httpPort: number): Promise<GatewayProcess> => {
    const started = await startGatewayProcess('serve', { ...environment, HTTP_PORT: String(httpPort) })
    processes.push(started)
    return started
  }
  const serve = await Promise.all([startServe(0), startServe(0)])
  const stop = async (): Promise<void> => {
    await Promise.all([...pools.values()].map((pool) => pool.destroy()))
    await Promise.all(processes.map((one) => one.end('SIGKILL')))
    await database.destroy()
    await postgres.stop()
    await rm(folder, { recursive: true, force: true })
  }
  return {
    postgres,
    database,
    serve,
    spoolFolder,
    startServe,
    pay: async (one) => {
      const answer = await pay(poolOf(one), apiKey)
      if (answer.status === 200) paths.set(answer.id, await callbackUrlOf({ database, secretKey }, answer.id))
      return answer
    },
    callBack: (one, paymentId, number) => callBack(poolOf(one), paths.get(paymentId) ?? '', number),
    stop,
  }
}

const serveEnvironment = (databaseUrl: string, simulatorUrl: string): Record<string, string> => ({
  DATABASE_URL: databaseUrl,
  DATABASE_POOL_SIZE: '6',
  GRPC_PORT: '0',
  CONNECT_PORT: '0',
  OPS_PORT: '0',
  // Nobody calls back but the test.
  PUBLIC_URL: 'http://127.0.0.1:9',
  DARAJA_BASE_URL: simulatorUrl,
  DARAJA_CONSUMER_KEY: 'key',
  DARAJA_CONSUMER_SECRET: 'secret',
  DARAJA_SHORTCODE: '174379',
  DARAJA_PASSKEY: 'passkey',
  SECRET_KEY,
  CALLBACK_ALLOW_HTTP: 'on',
  CALLBACK_ALLOW_PRIVATE_NETWORKS: 'on',
})

const pay = async (pool: Pool, apiKey: string) => {
  const answer = await pool.request({
    method: 'POST',
    path: '/api/v1/mpesa/stk_push',
    headers: { 'content-type': 'application/json', 'x-api-key': apiKey },
    body: JSON.stringify({
      phone: '254700000022',
      amount: 150,
      callback_url: 'http://127.0.0.1:8091/outcome',
    }),
  })
  const text = await answer.body.text()
  return {
    status: answer.statusCode,
    retryAfter: answer.headers['retry-after']?.toString(),
    id: answer.statusCode === 200 ? BigInt(JSON.parse(text).transaction_id) : 0n,
  }
}

const callBack = async (pool: Pool, path: string, number: number): Promise<CallbackSent> => {
  const resultDesc = `callback ${number}`
  const stkCallback = { ResultCode: 0, ResultDesc: resultDesc }
  const began = performance.now()
  const status = await pool
    .request({
      method: 'POST',
      path,
      headers: { 'content-type': 'application/json;charset=UTF-8' },
      body: JSON.stringify({ Body: { stkCallback } }),
    })
    .then(
      async (answer) => {
        await answer.body.dump()
        return answer.statusCode
      },
      () => 0,
    )
  return { resultDesc, status, tookMs: performance.now() - began }
}
