import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { request } from 'undici'
import { listRecordFiles } from '../../src/core/callback/spool-files.ts'
import { createPartner } from '../../src/core/partners/partner.ts'
import { connectDatabase, type Database } from '../../src/database/connect.ts'
import { migrateToLatest } from '../../src/database/migrate.ts'
import { startEmbeddedPostgres } from '../../src/local/postgres.ts'
import { type OutsideWorld, paymentOf, startOutsideWorld } from '../faults/outside-world.ts'
import { testActor } from '../support/actor.ts'
import { freePort, quietLog } from '../support/core.ts'
import { beginGatewayProcess, type StartingProcess } from '../support/gateway-process.ts'
import { onDatabase, runStatement } from '../support/test-run.ts'
import { TEST_SECRET_KEY, testVault } from '../support/vault.ts'

/** What an answer of the REST facade says here. */
export type Answer = { status: number; retryAfter: string | undefined; id: number }

/** `serve` and `dispatch` on a Postgres of their own, as the role `gateway` on the database `gateway`, and the outside world. */
export type OutageDeployment = {
  /** The URL that the processes have; another host can be put into it before they start. */
  url: URL
  /** A statement of the server's administrator. */
  admin(statement: string): Promise<void>
  /** Ends every connection of the gateway's role, and so makes it connect anew. */
  disconnect(): Promise<void>
  /** The database as the administrator sees it. */
  database: Database
  world: OutsideWorld
  /** Starts a process; it may never be ready. There is one `serve` at a time. */
  begin(command: 'serve' | 'dispatch', databaseUrl?: string): StartingProcess
  /** Where `serve` tells of its health. */
  opsUrl: string
  /** Asks for a payment whose payer never answers by himself. */
  pay(): Promise<Answer>
  /** Reads a payment as its partner; resolves with the status. */
  read(paymentId: number): Promise<number>
  /** Calls back that the payment was paid, as Daraja does; resolves with the status. */
  callBack(paymentId: number): Promise<number>
  /** Callbacks that wait in the spool's folder, as files. */
  spooled(): Promise<number>
  close(): Promise<void>
}

/** The payer of the simulator who is prompted and of whom nothing more is heard. */
const NEVER_CALLS_BACK = '254700000022'

const PASSWORD = 'first'

export const openOutageDeployment = async (): Promise<OutageDeployment> => {
  await using opening = new AsyncDisposableStack()
  const folder = opening.adopt(await mkdtemp(join(tmpdir(), 'gateway-outages-')), (one) =>
    rm(one, { recursive: true, force: true }),
  )
  const server = opening.adopt(
    await startEmbeddedPostgres({ dataFolder: join(folder, 'postgres'), say: () => undefined }),
    (one) => one.stop(),
  )
  const admin = (statement: string): Promise<void> => runStatement(server.url, statement)
  await admin(`CREATE ROLE gateway LOGIN PASSWORD '${PASSWORD}'`)
  await admin('CREATE DATABASE gateway OWNER gateway')
  const administrators = onDatabase(server.url, 'gateway')
  const url = new URL(administrators)
  Object.assign(url, { username: 'gateway', password: PASSWORD })
  await migrateToLatest({ databaseUrl: url.href, log: quietLog })
  const database = opening.adopt(
    connectDatabase({ databaseUrl: administrators, poolSize: 2, log: quietLog }),
    (one) => one.destroy(),
  )
  const { apiKey } = await createPartner({
    database,
    name: 'Duka la Wanjiku',
    vault: testVault,
    randomBytes,
    actor: testActor,
  })
  const world = opening.adopt(await startOutsideWorld({ random: Math.random }), (one) => one.close())
  const [httpPort, opsPort] = [await freePort(), await freePort()]
  const httpUrl = `http://127.0.0.1:${httpPort}`
  const spoolFolder = join(folder, 'spool')
  const environment = {
    ...environmentOf({ httpUrl, darajaUrl: world.simulator.url }),
    SPOOL_DIR: spoolFolder,
  }
  const opened = opening.move()
  const begin = (command: 'serve' | 'dispatch', databaseUrl = url.href): StartingProcess => {
    const ports = command === 'serve' ? { HTTP_PORT: `${httpPort}`, OPS_PORT: `${opsPort}` } : {}
    const process = beginGatewayProcess(command, { ...environment, DATABASE_URL: databaseUrl, ...ports })
    opened.defer(() => process.end('SIGKILL').then(() => undefined))
    return process
  }
  return {
    url,
    admin,
    disconnect: () =>
      admin("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'gateway'"),
    database,
    world,
    begin,
    opsUrl: `http://127.0.0.1:${opsPort}`,
    pay: () => pay(httpUrl, apiKey, world.receiver.url),
    read: (paymentId) => read(`${httpUrl}/api/v1/mpesa/transactions/${paymentId}`, apiKey),
    callBack: async (paymentId) => callBack(await promptOf(world, paymentId)),
    spooled: async () => (await listRecordFiles(spoolFolder)).length,
    close: () => opened.disposeAsync(),
  }
}

const environmentOf = (urls: { httpUrl: string; darajaUrl: string }): Record<string, string> => ({
  DATABASE_POOL_SIZE: '4',
  GRPC_PORT: '0',
  CONNECT_PORT: '0',
  OPS_PORT: '0',
  PUBLIC_URL: urls.httpUrl,
  DARAJA_BASE_URL: urls.darajaUrl,
  DARAJA_CONSUMER_KEY: 'key',
  DARAJA_CONSUMER_SECRET: 'secret',
  DARAJA_SHORTCODE: '174379',
  DARAJA_PASSKEY: 'passkey',
  SECRET_KEY: TEST_SECRET_KEY,
  CALLBACK_ALLOW_HTTP: 'on',
  CALLBACK_ALLOW_PRIVATE_NETWORKS: 'on',
})

const pay = async (httpUrl: string, apiKey: string, callbackUrl: string): Promise<Answer> => {
  const answer = await request(`${httpUrl}/api/v1/mpesa/stk_push`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-api-key': apiKey },
    body: JSON.stringify({ phone: NEVER_CALLS_BACK, amount: 150, callback_url: `${callbackUrl}/told` }),
  })
  const text = await answer.body.text()
  return {
    status: answer.statusCode,
    retryAfter: answer.headers['retry-after']?.toString(),
    id: answer.statusCode === 200 ? Number(JSON.parse(text).transaction_id) : 0,
  }
}

const read = async (url: string, apiKey: string): Promise<number> => {
  const answer = await request(url, { headers: { 'x-api-key': apiKey } })
  await answer.body.dump()
  return answer.statusCode
}

type Prompt = { callback_url: string; checkout_request_id: string; merchant_request_id: string }

const promptOf = async (world: OutsideWorld, paymentId: number): Promise<Prompt> => {
  const answer = await fetch(`${world.simulator.url}/_ledger`)
  const { entries } = (await answer.json()) as { entries: Prompt[] }
  const prompt = entries.find((one) => paymentOf(one.callback_url) === paymentId)
  if (!prompt) throw new Error(`nobody was prompted for payment ${paymentId}`)
  return prompt
}

const callBack = async (prompt: Prompt): Promise<number> => {
  const items = [
    { Name: 'Amount', Value: 150 },
    { Name: 'MpesaReceiptNumber', Value: receiptOf(prompt) },
    { Name: 'TransactionDate', Value: 20_261_126_120_000 },
    { Name: 'PhoneNumber', Value: Number(NEVER_CALLS_BACK) },
  ]
  const stkCallback = {
    MerchantRequestID: prompt.merchant_request_id,
    CheckoutRequestID: prompt.checkout_request_id,
    ResultCode: 0,
    ResultDesc: 'The service request is processed successfully.',
    CallbackMetadata: { Item: items },
  }
  const answer = await request(prompt.callback_url, {
    method: 'POST',
    headers: { 'content-type': 'application/json;charset=UTF-8' },
    body: JSON.stringify({ Body: { stkCallback } }),
  })
  await answer.body.dump()
  return answer.statusCode
}

/** Ten letters and digits, another for each payment. */
const receiptOf = (prompt: Prompt): string =>
  `UE${paymentOf(prompt.callback_url).toString(36).toUpperCase().padStart(8, '0')}`
