import { randomBytes } from 'node:crypto'
import { Registry } from 'prom-client'
import { createCallbackIds } from '../../src/core/callback/callback.ts'
import { createCallbackMetrics } from '../../src/core/callback/callback-metrics.ts'
import { openSpool, type Spool } from '../../src/core/callback/spool.ts'
import type { Disk } from '../../src/core/callback/spool-files.ts'
import { type Core, createCore } from '../../src/core/core.ts'
import type { CoreConfig, CoreOptions } from '../../src/core/core-options.ts'
import { createCoreMetrics } from '../../src/core/metrics.ts'
import { createInProcessClients, type InProcessClients } from '../../src/core/server/in-process.ts'
import type { Database } from '../../src/database/connect.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { createWrongSecrets } from '../../src/runtime/count-wrong-secrets.ts'
import type { Log } from '../../src/runtime/log.ts'
import { createRehearsal } from '../../src/simulator/rehearse.ts'
import type { Simulator } from '../../src/simulator/server.ts'
import { parseAddressList } from '../../src/values/address-list.ts'
import { openTestDatabase, type TestDatabase } from './database.ts'
import { openTestFolder } from './folder.ts'
import { forgetfulNumbers } from './forgetful-numbers.ts'
import { addPartner } from './partner.ts'
import { freePort } from './ports.ts'
import { quietLog } from './quiet-log.ts'
import { startTestSimulator } from './simulator.ts'
import { TEST_SECRET_KEY } from './vault.ts'

/** A core on a database of its own, with a simulator behind it and one partner in it. */
export type TestCore = {
  core: Core
  clients: InProcessClients
  database: Database
  databaseUrl: string
  simulator: Simulator
  partnerId: bigint
  apiKey: string
  /** The header by which calls prove to be the partner's. */
  headers: { 'x-api-key': string }
  /** What `publicUrl` leads to: the port at which a facade should listen. */
  httpPort: number
  options: CoreOptions
  /** What callback URLs are made with. */
  secretKey: Uint8Array
  publicUrl: string
  stop(): Promise<void>
}

/** What a test wants otherwise, for instance `{ config: { submit: { ttlMs: 1_000 } } }`. */
export type TestCoreOverrides = Partial<Omit<CoreOptions, 'config'>> & {
  config?: ConfigOverrides | undefined
}

type ConfigOverrides = { [Group in keyof CoreConfig]?: Partial<CoreConfig[Group]> }

/**
 * Starts a core with what tests want: a payer who thinks for 50 ms, callbacks and callback URLs on this machine; on a database
 * of its own, or the one given, which it drops at its end.
 */
export const startTestCore = async (
  overrides: TestCoreOverrides = {},
  on?: TestDatabase,
): Promise<TestCore> => {
  await using opening = new AsyncDisposableStack()
  const { database, url: databaseUrl } = opening.adopt(
    await openTestDatabase({ poolSize: 6, ...(on && { on }) }),
    (one) => one.close(),
  )
  const simulator = opening.adopt(await startTestSimulator(), (one) => one.close())
  const httpPort = await freePort()
  const { path: spoolFolder } = opening.adopt(await openTestFolder(), (one) => one.close())
  const spool = await openTestSpool(spoolFolder)
  const { config, ...others } = overrides
  const options = { ...defaultOptions({ database, simulator, httpPort, spool, config }), ...others }
  opening.defer(() => options.spool.close())
  const core = opening.adopt(stoppedOnce(createCore(options)), (one) => one.stop())
  core.start()
  const { partnerId, apiKey } = await addPartner(database)
  const opened = opening.move()
  return {
    core,
    clients: createInProcessClients(core.services),
    database,
    databaseUrl,
    simulator,
    partnerId,
    apiKey,
    headers: { 'x-api-key': apiKey },
    httpPort,
    options,
    secretKey: options.config.keys.secretKey,
    publicUrl: options.config.callbacks.publicUrl,
    stop: () => opened.disposeAsync(),
  }
}

/** A test may have stopped it before its end. */
const stoppedOnce = (core: Core): Core => {
  let stopped: Promise<void> | undefined
  return { ...core, stop: () => (stopped ??= core.stop()) }
}

/** A spool in `folder`. */
export const openTestSpool = (
  folder: string,
  options: { log?: Log; leftBehindMs?: number; disk?: Disk; newId?: () => string } = {},
): Promise<Spool> =>
  openSpool({
    folder,
    newId: createCallbackIds({ clock: systemClock, randomBytes }),
    log: quietLog,
    ...options,
  })

const EVERYWHERE = parseAddressList('0.0.0.0/0,::/0')

const defaultOptions = (parts: {
  database: Database
  simulator: Simulator
  httpPort: number
  spool: Spool
  config: ConfigOverrides | undefined
}): CoreOptions => ({
  config: configOf(parts),
  database: parts.database,
  numbers: forgetfulNumbers,
  readAlarm: () => null,
  log: quietLog,
  metrics: createCoreMetrics(new Registry(), parts.database),
  clock: systemClock,
  nowMs: () => performance.now(),
  random: Math.random,
  randomBytes,
  newId: createCallbackIds({ clock: systemClock, randomBytes }),
  spool: parts.spool,
  callbackMetrics: createCallbackMetrics(new Registry(), parts.spool),
  // A loaded machine is not an outage: what a test sends is in Postgres when it was answered.
  callbackPatienceMs: 20_000,
  wrongSecrets: createWrongSecrets({ perMinute: 100_000, nowMs: () => performance.now() }),
  noteRefused: () => undefined,
  rehearsal: createRehearsal({ delayMs: 50 }),
  onDeliveriesDue: () => undefined,
  publishAtOnce: () => null,
})

const configOf = (parts: {
  simulator: Simulator
  httpPort: number
  config: ConfigOverrides | undefined
}): CoreConfig => {
  const { simulator, config = {} } = parts
  return {
    keys: { secretKey: Buffer.from(TEST_SECRET_KEY, 'hex'), previousSecretKey: null, ...config.keys },
    callers: {
      wrongSecretsPerMinute: 100_000,
      partnerRequestsPerSecond: null,
      testRequestsPerSecond: 1_000,
      ...config.callers,
    },
    watchers: { total: 2_000, perPartner: 2_000, ...config.watchers },
    callbackUrlPolicy: { allowHttp: true, allowPrivateNetworks: true, ...config.callbackUrlPolicy },
    payerLimits: { openPrompts: null, promptsPerHour: null, ...config.payerLimits },
    callbacks: {
      publicUrl: `http://127.0.0.1:${parts.httpPort}`,
      spoolFolder: 'nobody reads it: the spool is open already',
      sources: {
        mode: 'off',
        // Whoever calls back is Daraja, wherever it is: tests of strangers say who is not.
        list: EVERYWHERE.ok ? EVERYWHERE.value : [],
        strangers: { perMinute: 1_000_000, bytesPerMinute: 1_000_000_000, maxBytes: 4096 },
      },
      ...config.callbacks,
    },
    daraja: {
      baseUrl: simulator.url,
      timeoutMs: 3_000,
      account: {
        consumerKey: 'key',
        consumerSecret: 'secret',
        shortcode: '174379',
        passkey: 'passkey',
        transactionType: 'CustomerPayBillOnline',
        partyB: '174379',
      },
      pushesPerSecond: null,
      queriesPerSecond: 1000,
      uniqueReference: false,
      pull: null,
      ...config.daraja,
    },
    // Tests that make payments wait are not refused any.
    submit: { ttlMs: 120_000, concurrency: 32, overloadAfterMs: 600_000, ...config.submit },
    reconcile: { afterMs: 90_000, ...config.reconcile },
    operations: { overdueAfterMs: 900_000, fourEyes: false, ...config.operations },
    signals: { url: null, ...config.signals },
    keepDays: { attempts: 90, callbacks: 400, strangers: 7, ...config.keepDays },
  }
}
