import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { join } from 'node:path'
import { connectDatabase } from '../database/connect.ts'
import { migrateToLatest } from '../database/migrate.ts'
import { systemClock } from '../runtime/clock.ts'
import { readConfig } from '../runtime/config.ts'
import type { Log } from '../runtime/log.ts'
import { createVault } from '../runtime/seal.ts'
import { startChild } from './child.ts'
import {
  dispatchEnvironment,
  type Given,
  serveEnvironment,
  simulatorEnvironment,
  spoolFolderOf,
} from './child-environments.ts'
import { demoPartnerKey } from './demo-partner.ts'
import type { LocalServer } from './local-server.ts'
import { ensureDatabase, keepNats, keepPostgres } from './own-services.ts'
import { chooseAddresses, urlOf } from './ports.ts'
import { createProcesses, type Processes, type Start } from './processes.ts'
import { startReceiver } from './receiver.ts'
import { createRegistry } from './registry.ts'
import { type Running, writeRunningSecretKey } from './running.ts'
import { keepSecret } from './secret-file.ts'
import { supervise } from './supervise.ts'
import type { Tethered } from './tether.ts'
import type { Voice } from './voice.ts'

type Environment = Record<string, string | undefined>

/** What one `npm start` works with. */
type Run = {
  environment: Environment
  dataDir: string
  voice: Voice
  log: Log
  /** The file of the commands `serve`, `dispatch` and `simulator`. */
  commands: string
  /** Aborted when somebody has asked to stop. */
  asked: AbortSignal
}

/**
 * Starts everything, tells when it is ready, and ends it when asked: first what takes requests, last what holds the data.
 * Resolves when all is gone. Asked during the start, it ends what has been started and throws the signal's reason.
 */
export const runEverything = async (run: Run): Promise<void> => {
  const { dataDir, voice, asked } = run
  // Ends what it is given in reverse order, however this function ends.
  await using stack = new AsyncDisposableStack()
  const processes = createProcesses(stack)
  const registry = createRegistry({ dataDir, say: voice.say })
  const managed = { ...run, processes, onRestarted: registry.refresh }

  const given = await prepare(managed)
  const apiKey = await demoKey(run, given)
  const receiver = await startReceiver({
    ...given.addresses.receiver,
    clock: systemClock,
    onReceived: voice.tellReceived,
  })
  stack.defer(receiver.stop)
  asked.throwIfAborted()
  await startChildren({ ...managed, given })

  const describe = (): Running => ({
    ...describeUrls(given),
    receiver_url: receiver.url,
    api_key: apiKey,
    pids: processes.pids(),
  })
  stack.defer(registry.close)
  await registry.open(describe)
  voice.tellReady(describe())
  if (!asked.aborted) await once(asked, 'abort')
  voice.say('stopping …')
}

type ManagedRun = Run & { processes: Processes; onRestarted: () => void }

/** Chooses the ports, gets Postgres and NATS, brings the database to the current schema, and reads or makes the secret. */
const prepare = async (run: ManagedRun): Promise<Given> => {
  const { environment, dataDir, asked, log } = run
  const addresses = await chooseAddresses(environment)
  const { databaseUrl, natsUrl } = await startServices(run)
  asked.throwIfAborted()
  await migrateToLatest({ databaseUrl, log })
  const secretKey =
    environment['SECRET_KEY'] ||
    (await keepSecret(join(dataDir, 'secret-key'), () => randomBytes(32).toString('hex')))
  await writeRunningSecretKey(dataDir, secretKey)
  asked.throwIfAborted()
  return { environment, dataDir, addresses, databaseUrl, natsUrl, secretKey }
}

/** Starts Postgres and NATS, unless the environment names others. */
const startServices = async (run: ManagedRun): Promise<{ databaseUrl: string; natsUrl: string | null }> => {
  const { environment, dataDir, voice, asked, onRestarted } = run
  const givenDatabase = environment['DATABASE_URL'] || null
  const givenNats = environment['NATS_URL'] || null
  const options = { environment, dataDir, say: voice.say, signal: asked, onRestarted }
  const starts: Record<string, Start<LocalServer>> = {
    ...(givenDatabase === null && { postgres: () => keepPostgres(options) }),
    ...(givenNats === null && { nats: () => keepNats(options) }),
  }
  const started = await run.processes.start(starts)
  const postgres = started.get('postgres')
  const databaseUrl = givenDatabase ?? (postgres && (await ensureDatabase(postgres.current().url)))
  if (databaseUrl === undefined) throw new Error('Postgres was not started')
  return { databaseUrl, natsUrl: givenNats ?? started.get('nats')?.current().url ?? null }
}

const demoKey = async (run: Run, given: Given): Promise<string> => {
  const database = connectDatabase({ databaseUrl: given.databaseUrl, poolSize: 1, log: run.log })
  const { SECRET_KEY: secretKey } = readConfig({ SECRET_KEY: given.secretKey }, ['SECRET_KEY'])
  const vault = createVault({ secretKey, previousSecretKey: null, randomBytes })
  try {
    return await demoPartnerKey({ database, vault, folder: run.dataDir })
  } finally {
    await database.destroy()
  }
}

/** Starts the simulator, unless the environment names another Daraja, and then the dispatcher and the gateway itself. */
const startChildren = async (run: ManagedRun & { given: Given }): Promise<void> => {
  const { given, voice } = run
  const keep =
    (name: string, environment: Environment): Start<Tethered> =>
    () =>
      supervise({
        name,
        say: voice.say,
        onRestarted: run.onRestarted,
        start: () =>
          startChild({
            name,
            args: [run.commands, name, '--json'],
            environment,
            onLine: (line) => voice.passLogLine(name, line),
            signal: run.asked,
          }),
      })
  if (isSimulated(given))
    await run.processes.start({ simulator: keep('simulator', simulatorEnvironment(given)) })
  await run.processes.start({
    dispatch: keep('dispatch', dispatchEnvironment(given)),
    serve: keep('serve', serveEnvironment(given)),
  })
}

const isSimulated = ({ environment }: Given): boolean => !environment['DARAJA_BASE_URL']

const describeUrls = (given: Given) => {
  const { addresses } = given
  return {
    ready: true as const,
    http_url: urlOf(addresses.http),
    grpc_url: urlOf(addresses.grpc),
    connect_url: urlOf(addresses.connect),
    ops_url: urlOf(addresses.ops),
    dispatcher_ops_url: urlOf(addresses.dispatcherOps),
    simulator_url: isSimulated(given) ? urlOf(addresses.simulator) : null,
    database_url: given.databaseUrl,
    nats_url: given.natsUrl,
    spool_dir: spoolFolderOf(given),
  }
}
