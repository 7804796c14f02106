import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { sql } from 'kysely'
import { createPartner } from '../core/partners/partner.ts'
import { hashSecret } from '../core/partners/secret.ts'
import { connectDatabase, type Database } from '../database/connect.ts'
import { migrateToLatest } from '../database/migrate.ts'
import { systemClock } from '../runtime/clock.ts'
import { readConfig } from '../runtime/config.ts'
import type { Log } from '../runtime/log.ts'
import { createVault } from '../runtime/seal.ts'
import { type GuardedProcess, startGatewayProcess, UserError } from './child-process.ts'
import { linkToConsole } from './console-link.ts'
import {
  chooseAddresses,
  consoleEnvironment,
  dispatchEnvironment,
  isSimulated,
  publicSettingsOf,
  type Setup,
  serveEnvironment,
  simulatorEnvironment,
  spoolFolderOf,
  urlOf,
} from './environments.ts'
import type { LocalServer } from './local-server.ts'
import { findNatsServer, searchPathOf, startNatsServer } from './nats-server.ts'
import { ensureDatabase, startEmbeddedPostgres } from './postgres.ts'
import { quickenCommands } from './quick-commands.ts'
import { startReceiver } from './receiver.ts'
import type { Reporter } from './reporter.ts'
import {
  keepSecret,
  type Running,
  readSecretFile,
  removeRunning,
  writeRunning,
  writeRunningSecretKey,
  writeRunningSettings,
  writeSecretFile,
} from './running.ts'
import { type Supervised, supervise } from './supervise.ts'

const ROOT = join(import.meta.dirname, '..', '..')

/** The file of the commands `serve`, `dispatch` and `simulator`. */
const COMMANDS = join(ROOT, 'src', 'cli', 'main.ts')

/** What one `npm start` works with. */
type Run = {
  environment: Record<string, string | undefined>
  dataDir: string
  reporter: Reporter
  log: Log
  /** Aborted when somebody has asked to stop. */
  stopping: AbortSignal
}

/** Starts a process and keeps it running under the name, until the run ends. */
type Keep = <Process extends GuardedProcess>(
  name: string,
  start: (before?: Process) => Promise<Process>,
) => Promise<Process>

/** What ends first takes requests; what ends last holds the data. */
const ENDING_ORDER = ['console', 'serve', 'dispatch', 'simulator', 'nats', 'postgres']

/**
 * Starts everything, reports when it is ready, and ends it when asked. Resolves when all is gone. Asked during the
 * start, it ends what has been started and throws the signal's reason.
 */
export const runEverything = async (run: Run): Promise<void> => {
  const { dataDir, reporter, stopping } = run
  // Ends what it is given in reverse order, however this function ends.
  await using stack = new AsyncDisposableStack()
  const supervised = new Map<string, Supervised<GuardedProcess>>()
  stack.defer(async () => {
    for (const name of ENDING_ORDER) await supervised.get(name)?.stop()
  })
  let onRestarted = (): void => undefined
  const keep: Keep = async (name, start) => {
    const one = await supervise({ name, start, say: reporter.say, onRestarted: () => onRestarted() })
    supervised.set(name, one)
    return one.current()
  }

  const setup = await prepare(run, keep)
  const apiKey = await demoPartnerKey(run, setup)
  const { host, port } = setup.addresses.receiver
  const receiver = await startReceiver({
    host,
    port,
    clock: systemClock,
    onReceived: reporter.reportReceived,
  })
  stack.defer(receiver.stop)
  stopping.throwIfAborted()
  await startGateway(run, setup, keep)
  const consoleSignInUrl = await linkToConsole(setup, run.log)

  const describe = (): Running => {
    const pids = [...supervised].map(([name, one]) => [name, one.current().pid])
    return {
      ...describeSetup(setup),
      receiver_url: receiver.url,
      api_key: apiKey,
      console_sign_in_url: consoleSignInUrl,
      pids: { ...Object.fromEntries(pids), start: process.pid },
    }
  }
  writeRunning(dataDir, describe())
  onRestarted = () => writeRunning(dataDir, describe())
  stack.defer(() => {
    onRestarted = () => undefined
    removeRunning(dataDir)
  })
  reporter.reportReady(describe())
  const quickened = quickenCommands({ root: ROOT, say: reporter.say, stopping })
  if (!stopping.aborted) await once(stopping, 'abort')
  await quickened
  reporter.say('stopping …')
}

/** Resolves when all have, also when one of them fails: what has started by then will be ended. */
const all = async <Result>(starts: readonly Promise<Result>[]): Promise<Result[]> => {
  await Promise.allSettled(starts)
  return Promise.all(starts)
}

/**
 * Chooses the ports, gets Postgres and NATS, brings the database to the current schema, and reads or makes the secret.
 */
const prepare = async (run: Run, keep: Keep): Promise<Setup> => {
  const { environment, dataDir, stopping, log } = run
  const addresses = await chooseAddresses(environment)
  const [databaseUrl, natsUrl = null] = await all<string | null>([
    environment['DATABASE_URL'] ? Promise.resolve(environment['DATABASE_URL']) : keepPostgres(run, keep),
    environment['NATS_URL'] ? Promise.resolve(environment['NATS_URL']) : keepNats(run, keep),
  ])
  if (!databaseUrl) throw new Error('Postgres was not started')
  stopping.throwIfAborted()
  await migrateToLatest({ databaseUrl, log })
  const secretKey =
    environment['SECRET_KEY'] ||
    keepSecret(join(dataDir, 'secret-key'), () => randomBytes(32).toString('hex'))
  writeRunningSecretKey(dataDir, secretKey)
  stopping.throwIfAborted()
  const setup = { environment, dataDir, addresses, databaseUrl, natsUrl, secretKey }
  writeRunningSettings(dataDir, publicSettingsOf(setup))
  return setup
}

/** Keeps a Postgres of our own running, its data in DATA_DIR; resolves with the URL of the gateway's database on it. */
const keepPostgres = async ({ dataDir, reporter, stopping: signal }: Run, keep: Keep): Promise<string> => {
  const dataFolder = join(dataDir, 'postgres')
  // Started again on the same port: the other processes know that one.
  const start = (before?: LocalServer) =>
    startEmbeddedPostgres({ dataFolder, port: before?.port, say: reporter.say, signal })
  return ensureDatabase((await keep('postgres', start)).url, 'gateway')
}

/**
 * Keeps a NATS of our own running; null, with a line that says why, where none can be had: the gateway works without.
 */
const keepNats = async (run: Run, keep: Keep): Promise<string | null> => {
  const { dataDir, stopping: signal } = run
  const { say } = run.reporter
  const dataFolder = join(dataDir, 'nats')
  try {
    const searchPath = searchPathOf(run.environment)
    const program = await findNatsServer({ binFolder: join(dataDir, 'bin'), searchPath, say, signal })
    const start = (before?: LocalServer) =>
      startNatsServer({ program, dataFolder, port: before?.port, say, signal })
    return (await keep('nats', start)).url
  } catch (error) {
    if (!(error instanceof UserError)) throw error
    say(error.message)
    return null
  }
}

/**
 * The API key of a partner to try things with, the same in every run: it is kept in the folder. When the database does
 * not know that key, as another or a new one does not, a partner is created.
 */
const demoPartnerKey = async ({ dataDir, log }: Run, setup: Setup): Promise<string> => {
  const database = connectDatabase({ databaseUrl: setup.databaseUrl, poolSize: 1, log })
  const { SECRET_KEY: secretKey } = readConfig({ SECRET_KEY: setup.secretKey }, ['SECRET_KEY'])
  const vault = createVault({ secretKey, previousSecretKey: null, randomBytes })
  const file = join(dataDir, 'demo-api-key')
  try {
    const kept = readSecretFile(file)
    if (kept && (await isUsable(database, kept))) return kept
    const actor = { kind: 'operator', name: 'npm start', from: hostname() } as const
    const { apiKey } = await createPartner({ database, name: 'Demo', vault, actor, randomBytes })
    writeSecretFile(file, apiKey)
    return apiKey
  } finally {
    await database.destroy()
  }
}

const isUsable = async (database: Database, apiKey: string): Promise<boolean> => {
  const row = await database
    .selectFrom('api_keys')
    .innerJoin('partners', 'partners.id', 'api_keys.partner_id')
    .select('api_keys.id')
    .where('key_hash', '=', hashSecret(apiKey))
    .where('revoked_at', 'is', null)
    .where('disabled_at', 'is', null)
    .where((where) => where.or([where('expires_at', 'is', null), where('expires_at', '>', sql<Date>`now()`)]))
    .executeTakeFirst()
  return row !== undefined
}

/**
 * Starts the simulator, unless the environment names another Daraja, and then the dispatcher, the gateway itself and the
 * console.
 */
const startGateway = async (run: Run, setup: Setup, keep: Keep): Promise<void> => {
  const start = (name: string, environment: Record<string, string | undefined>) =>
    keep(name, () =>
      startGatewayProcess({
        name,
        args: [COMMANDS, name, '--json'],
        environment,
        onLine: (line) => run.reporter.passLogLine(name, line),
        signal: run.stopping,
      }),
    )
  if (isSimulated(setup)) await start('simulator', simulatorEnvironment(setup))
  await all([
    start('dispatch', dispatchEnvironment(setup)),
    start('serve', serveEnvironment(setup)),
    start('console', consoleEnvironment(setup)),
  ])
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
    console_url: urlOf(addresses.console),
    console_ops_url: urlOf(addresses.consoleOps),
    simulator_url: isSimulated(setup) ? urlOf(addresses.simulator) : null,
    database_url: setup.databaseUrl,
    nats_url: setup.natsUrl,
    spool_dir: spoolFolderOf(setup),
  }
}
