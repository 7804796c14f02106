import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { join } from 'node:path'
import { connectDatabase } from '../database/connect.ts'
import { migrateToLatest } from '../database/migrate.ts'
import { systemClock } from '../runtime/clock.ts'
import { readConfig } from '../runtime/config.ts'
import type { Log } from '../runtime/log.ts'
import { createVault } from '../runtime/seal.ts'
import { demoPartnerKey } from './demo-partner.ts'
import {
  dispatchEnvironment,
  isSimulated,
  type Setup,
  serveEnvironment,
  simulatorEnvironment,
  spoolFolderOf,
} from './environments.ts'
import { startGatewayProcess } from './gateway-process.ts'
import type { GuardedProcess } from './guarded-process.ts'
import { keepNats, keepPostgres } from './own-services.ts'
import { chooseAddresses, urlOf } from './ports.ts'
import { startReceiver } from './receiver.ts'
import type { Reporter } from './reporter.ts'
import { keepRunningFile, type Running, writeRunningSecretKey } from './running.ts'
import { keepSecret } from './secret-file.ts'
import { type Supervised, supervise } from './supervise.ts'

/** What one `npm start` works with. */
type Run = {
  environment: Record<string, string | undefined>
  dataDir: string
  reporter: Reporter
  log: Log
  /** The file of the commands `serve`, `dispatch` and `simulator`. */
  commands: string
  /** Aborted when somebody has asked to stop. */
  stopping: AbortSignal
}

/** Starts a process and keeps it running under the name, until the run ends. */
type Keep = <Process extends GuardedProcess>(name: string, start: () => Promise<Process>) => Promise<Process>

/** What ends first takes requests; what ends last holds the data. */
const ENDING_ORDER = ['serve', 'dispatch', 'simulator', 'nats', 'postgres']

/**
 * Starts everything, reports when it is ready, and ends it when asked. Resolves when all is gone. Asked during the start, it
 * ends what has been started and throws the signal's reason.
 */
export const runEverything = async (run: Run): Promise<void> => {
  const { dataDir, reporter, stopping } = run
  // Ends what it is given in reverse order, however this function ends.
  await using stack = new AsyncDisposableStack()
  const running = new Map<string, Supervised<GuardedProcess>>()
  stack.defer(async () => {
    for (const name of ENDING_ORDER) await running.get(name)?.stop()
  })
  let onRestarted = (): void => undefined
  const keep: Keep = async (name, start) => {
    const supervised = await supervise({ name, start, say: reporter.say, onRestarted: () => onRestarted() })
    running.set(name, supervised)
    return supervised.current()
  }

  const setup = await prepare(run, keep)
  const apiKey = await demoKey(run, setup)
  const receiver = await startReceiver({
    ...setup.addresses.receiver,
    clock: systemClock,
    onReceived: reporter.reportReceived,
  })
  stack.defer(receiver.stop)
  stopping.throwIfAborted()
  await startGateway(run, setup, keep)

  const describe = (): Running => {
    const pids = [...running].map(([name, one]) => [name, one.current().pid])
    return {
      ...describeSetup(setup),
      receiver_url: receiver.url,
      api_key: apiKey,
      pids: { ...Object.fromEntries(pids), start: process.pid },
    }
  }
  const runningFile = await keepRunningFile({ dataDir, describe, say: reporter.say })
  onRestarted = runningFile.refresh
  stack.defer(runningFile.close)
  reporter.reportReady(describe())
  if (!stopping.aborted) await once(stopping, 'abort')
  reporter.say('stopping …')
}

/** Resolves when all have, also when one of them fails: what has started by then will be ended. */
const all = async <Result>(starts: readonly Promise<Result>[]): Promise<Result[]> => {
  await Promise.allSettled(starts)
  return Promise.all(starts)
}

/** Chooses the ports, gets Postgres and NATS, brings the database to the current schema, and reads or makes the secret. */
const prepare = async (run: Run, keep: Keep): Promise<Setup> => {
  const { environment, dataDir, stopping, log, reporter } = run
  const addresses = await chooseAddresses(environment)
  const options = { environment, dataDir, say: reporter.say, signal: stopping, keep }
  const [databaseUrl, natsUrl] = await all<string | null>([
    environment['DATABASE_URL'] ? Promise.resolve(environment['DATABASE_URL']) : keepPostgres(options),
    environment['NATS_URL'] ? Promise.resolve(environment['NATS_URL']) : keepNats(options),
  ])
  if (!databaseUrl) throw new Error('Postgres was not started')
  stopping.throwIfAborted()
  await migrateToLatest({ databaseUrl, log })
  const secretKey =
    environment['SECRET_KEY'] ||
    (await keepSecret(join(dataDir, 'secret-key'), () => randomBytes(32).toString('hex')))
  await writeRunningSecretKey(dataDir, secretKey)
  stopping.throwIfAborted()
  return { environment, dataDir, addresses, databaseUrl, natsUrl: natsUrl ?? null, secretKey }
}

const demoKey = async (run: Run, setup: Setup): Promise<string> => {
  const database = connectDatabase({ databaseUrl: setup.databaseUrl, poolSize: 1, log: run.log })
  const { SECRET_KEY: secretKey } = readConfig({ SECRET_KEY: setup.secretKey }, ['SECRET_KEY'])
  const vault = createVault({ secretKey, previousSecretKey: null, randomBytes })
  try {
    return await demoPartnerKey({ database, vault, folder: run.dataDir })
  } finally {
    await database.destroy()
  }
}

/** Starts the simulator, unless the environment names another Daraja, and then the dispatcher and the gateway itself. */
const startGateway = async (run: Run, setup: Setup, keep: Keep): Promise<void> => {
  const start = (name: string, environment: Record<string, string | undefined>) =>
    keep(name, () =>
      startGatewayProcess({
        name,
        args: [run.commands, name, '--json'],
        environment,
        onLine: (line) => run.reporter.passLogLine(name, line),
        signal: run.stopping,
      }),
    )
  if (isSimulated(setup)) await start('simulator', simulatorEnvironment(setup))
  await all([start('dispatch', dispatchEnvironment(setup)), start('serve', serveEnvironment(setup))])
}

const describeSetup = (setup: Setup) => {
  const { addresses } = setup
  return {
    ready: true as const,
    http_url: urlOf(addresses.http),
    grpc_url: urlOf(addresses.grpc),
    connect_url: urlOf(addresses.connect),
    ops_url: urlOf(addresses.ops),
    dispatcher_ops_url: urlOf(addresses.dispatcherOps),
    simulator_url: isSimulated(setup) ? urlOf(addresses.simulator) : null,
    database_url: setup.databaseUrl,
    nats_url: setup.natsUrl,
    spool_dir: spoolFolderOf(setup),
  }
}
