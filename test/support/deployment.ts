import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createPartner } from '../../src/core/partners/partner.ts'
import { connectDatabase, type Database } from '../../src/database/connect.ts'
import { type Receiver, startReceiver } from '../../src/local/receiver.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { testActor } from './actor.ts'
import { freePort, quietLog } from './core.ts'
import { createTestDatabase } from './database.ts'
import { type GatewayProcess, startGatewayProcess } from './gateway-process.ts'
import { createTestStream } from './streams.ts'
import { TEST_SECRET_KEY, testVault } from './vault.ts'

/** What a deployment is made of: processes of its own, a database and a stream of its own, a partner and its endpoint. */
export type Deployment = {
  httpUrl: string
  apiKey: string
  database: Database
  receiver: Receiver
  simulator: GatewayProcess
  serve: GatewayProcess[]
  dispatch: GatewayProcess[]
  /** The environment of its processes, to start more of them. */
  environment: Record<string, string>
  stop(): Promise<void>
}

/** A callback that arrived at the partner's endpoint. */
export type ReceivedDelivery = { headers: Record<string, string>; body: string }

/** Starts a deployment of separate processes, `serve` and `dispatch` as many times as asked. */
export const startDeployment = async (options: {
  serve: number
  dispatch: number
  environment?: Record<string, string>
  /** What its processes are started from, where that is not the suite's gateway. */
  main?: string
}): Promise<Deployment> => {
  const { url: databaseUrl, drop } = await createTestDatabase()
  const stream = createTestStream()
  const database = connectDatabase({ databaseUrl, poolSize: 2, log: quietLog })
  const { apiKey } = await createPartner({
    actor: testActor,
    database,
    name: 'Duka la Wanjiku',
    vault: testVault,
    randomBytes,
  })
  const receiver = await startReceiver({
    host: '127.0.0.1',
    port: 0,
    clock: systemClock,
    onReceived: () => undefined,
  })
  const simulator = await startGatewayProcess(
    'simulator',
    { SIMULATOR_PORT: '0', SIMULATOR_CALLBACK_DELAY_MS: '100', LOG_LEVEL: 'error' },
    options.main,
  )
  const httpPort = await freePort()
  const spoolFolder = await mkdtemp(join(tmpdir(), 'gateway-spool-'))
  const environment = {
    DATABASE_URL: databaseUrl,
    DATABASE_POOL_SIZE: '4',
    NATS_URL: stream.natsUrl,
    NATS_STREAM: stream.name,
    GRPC_PORT: '0',
    CONNECT_PORT: '0',
    OPS_PORT: '0',
    PUBLIC_URL: `http://127.0.0.1:${httpPort}`,
    DARAJA_BASE_URL: simulator.ready['simulator_url'] ?? '',
    DARAJA_CONSUMER_KEY: 'key',
    DARAJA_CONSUMER_SECRET: 'secret',
    DARAJA_SHORTCODE: '174379',
    DARAJA_PASSKEY: 'passkey',
    SECRET_KEY: TEST_SECRET_KEY,
    SPOOL_DIR: spoolFolder,
    CALLBACK_ALLOW_HTTP: 'on',
    CALLBACK_ALLOW_PRIVATE_NETWORKS: 'on',
    ...options.environment,
  }
  const start = (command: 'serve' | 'dispatch', count: number): Promise<GatewayProcess[]> =>
    Promise.all(
      Array.from({ length: count }, (_one, index) =>
        startGatewayProcess(
          command,
          { ...environment, HTTP_PORT: index === 0 ? String(httpPort) : '0' },
          options.main,
        ),
      ),
    )
  const deployment = {
    httpUrl: `http://127.0.0.1:${httpPort}`,
    apiKey,
    database,
    receiver,
    simulator,
    serve: await start('serve', options.serve),
    dispatch: await start('dispatch', options.dispatch),
    environment: { ...environment, HTTP_PORT: String(httpPort) },
  }
  const stop = async (): Promise<void> => {
    await Promise.all([...deployment.serve, ...deployment.dispatch, simulator].map((one) => one.end()))
    await receiver.stop()
    await database.destroy()
    await stream.delete()
    await drop()
    await rm(spoolFolder, { recursive: true, force: true })
  }
  return { ...deployment, stop }
}

/** What the partner's endpoint has received of a payment, oldest first. */
export const deliveriesOf = async (
  deployment: Deployment,
  transactionId: number,
): Promise<ReceivedDelivery[]> => {
  const answer = await fetch(`${deployment.receiver.url}/_received?transaction_id=${transactionId}`)
  return (await answer.json()) as ReceivedDelivery[]
}
