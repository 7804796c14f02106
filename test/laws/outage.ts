import { Pool } from 'undici'
import type { Database } from '../../src/database/connect.ts'
import { migrateToLatest } from '../../src/database/migrate.ts'
import { callbackUrlOf } from '../support/callback-url.ts'
import { openTestDatabase } from '../support/database.ts'
import { startTestGateway } from '../support/gateway.ts'
import type { GatewayProcess } from '../support/gateway-process.ts'
import { type OwnPostgres, startOwnPostgres } from '../support/own-server.ts'
import { quietLog } from '../support/quiet-log.ts'
import { TEST_SECRET_KEY } from '../support/vault.ts'

const secretKey = Buffer.from(TEST_SECRET_KEY, 'hex')

/** Where a process listens, under `http_url`. */
export type Serving = Pick<GatewayProcess, 'ready'>

/** A Postgres of its own, which can be stopped, and processes of `serve` that share a spool. */
export type OutageStage = {
  postgres: OwnPostgres
  database: Database
  serve: GatewayProcess[]
  spoolFolder: string
  /** Starts one more `serve` on a port; resolves when it is ready. */
  startServe(httpPort: number): Promise<GatewayProcess>
  /** Asks a process for a payment; its status, and its id when it was accepted. */
  pay(serve: Serving): Promise<{ status: number; retryAfter: string | undefined; id: bigint }>
  /** Calls a process back, as Daraja does of a payment that was paid. */
  callBack(serve: Serving, paymentId: bigint, number: number): Promise<CallbackSent>
  stop(): Promise<void>
}

/** A callback that was sent: what it said, and how it was answered; status 0: not at all. */
export type CallbackSent = { resultDesc: string; status: number; tookMs: number }

export const openOutageStage = async (): Promise<OutageStage> => {
  await using opening = new AsyncDisposableStack()
  const postgres = opening.adopt(await startOwnPostgres(), (one) => one.close())
  await migrateToLatest({ databaseUrl: postgres.url, log: quietLog })
  const gateway = opening.adopt(
    await startTestGateway({
      serve: 2,
      database: await openTestDatabase({
        poolSize: 2,
        on: { url: postgres.url, drop: () => Promise.resolve() },
      }),
      stream: null,
      // Nobody calls back but the test.
      settings: { DATABASE_POOL_SIZE: '6', PUBLIC_URL: 'http://127.0.0.1:9' },
    }),
    (one) => one.close(),
  )
  const { database, apiKey } = gateway
  const pools = new Map<string, Pool>()
  opening.defer(() => Promise.all([...pools.values()].map((pool) => pool.destroy())).then(() => undefined))
  const poolOf = (serve: Serving): Pool => {
    const url = serve.ready['http_url'] ?? ''
    const pool = pools.get(url) ?? new Pool(url, { connections: 32 })
    pools.set(url, pool)
    return pool
  }
  const paths = new Map<bigint, string>()
  const opened = opening.move()
  return {
    postgres,
    database,
    serve: gateway.serve,
    spoolFolder: gateway.spoolFolder,
    startServe: (httpPort) => gateway.start('serve', { HTTP_PORT: String(httpPort) }),
    pay: async (one) => {
      const answer = await pay(poolOf(one), apiKey)
      if (answer.status === 200) paths.set(answer.id, await callbackUrlOf({ database, secretKey }, answer.id))
      return answer
    },
    callBack: (one, paymentId, number) => callBack(poolOf(one), paths.get(paymentId) ?? '', number),
    stop: () => opened.disposeAsync(),
  }
}

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
