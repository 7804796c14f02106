import { request } from 'undici'
import { listRecordFiles } from '../../src/core/callback/spool-files.ts'
import type { Database } from '../../src/database/connect.ts'
import { migrateToLatest } from '../../src/database/migrate.ts'
import { type OpenDatabase, openTestDatabase } from '../support/database.ts'
import { startTestGateway } from '../support/gateway.ts'
import type { StartingProcess } from '../support/gateway-process.ts'
import { type OutsideWorld, type Prompted, paymentOf } from '../support/outside-world.ts'
import { type OwnPostgres, startOwnPostgres } from '../support/own-server.ts'
import { lastingPort } from '../support/ports.ts'
import { quietLog } from '../support/quiet-log.ts'
import { onDatabase, runStatement } from '../support/test-run.ts'

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
  /** Where `serve` answers how it is. */
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

/** The database `gateway` of a Postgres, migrated, as its administrator sees it and as its owner, the role `gateway`, does. */
const createGatewayDatabase = async (postgres: OwnPostgres): Promise<OpenDatabase & { ownersUrl: URL }> => {
  await runStatement(postgres.url, `CREATE ROLE gateway LOGIN PASSWORD '${PASSWORD}'`)
  await runStatement(postgres.url, 'CREATE DATABASE gateway OWNER gateway')
  const url = onDatabase(postgres.url, 'gateway')
  const ownersUrl = Object.assign(new URL(url), { username: 'gateway', password: PASSWORD })
  await migrateToLatest({ databaseUrl: ownersUrl.href, log: quietLog })
  // It goes with its server.
  const on = { url, drop: () => Promise.resolve() }
  return { ...(await openTestDatabase({ poolSize: 2, on })), ownersUrl }
}

export const openOutageDeployment = async (): Promise<OutageDeployment> => {
  await using opening = new AsyncDisposableStack()
  const postgres = opening.adopt(await startOwnPostgres(), (one) => one.close())
  const { ownersUrl, ...database } = await createGatewayDatabase(postgres)
  const opsPort = await lastingPort()
  const gateway = opening.adopt(await startTestGateway({ database, stream: null }), (one) => one.close())
  const { httpUrl, apiKey, world, spoolFolder } = gateway
  const admin = (statement: string): Promise<void> => runStatement(postgres.url, statement)
  const opened = opening.move()
  return {
    url: ownersUrl,
    admin,
    disconnect: () =>
      admin("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'gateway'"),
    database: gateway.database,
    world,
    begin: (command, databaseUrl = ownersUrl.href) =>
      gateway.begin(command, {
        DATABASE_URL: databaseUrl,
        ...(command === 'serve' && { OPS_PORT: String(opsPort) }),
      }),
    opsUrl: `http://127.0.0.1:${opsPort}`,
    pay: () => pay(httpUrl, apiKey, world.receiver.url),
    read: (paymentId) => read(`${httpUrl}/api/v1/mpesa/transactions/${paymentId}`, apiKey),
    callBack: async (paymentId) => callBack(await promptOf(world, paymentId)),
    spooled: async () => (await listRecordFiles(spoolFolder)).length,
    close: () => opened.disposeAsync(),
  }
}

const pay = async (httpUrl: string, apiKey: string, callbackUrl: string): Promise<Answer> => {
  const answer = await request(`${httpUrl}/api/v1/mpesa/stk_push`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-api-key': apiKey },
    body: JSON.stringify({ phone: NEVER_CALLS_BACK, amount: 150, callback_url: `${callbackUrl}/outcome` }),
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

const promptOf = async (world: OutsideWorld, paymentId: number): Promise<Prompted> => {
  const prompts = await world.prompts()
  const prompt = prompts.find((one) => paymentOf(one.callback_url) === paymentId)
  if (!prompt) throw new Error(`nobody was prompted for payment ${paymentId}`)
  return prompt
}

const callBack = async (prompt: Prompted): Promise<number> => {
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
const receiptOf = (prompt: Prompted): string =>
  `UE${paymentOf(prompt.callback_url).toString(36).toUpperCase().padStart(8, '0')}`
