import { randomBytes } from 'node:crypto'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServiceImplSpec } from '@connectrpc/connect'
import { Registry } from 'prom-client'
import { createCoreMetrics } from '../../src/core/metrics.ts'
import { createOverload } from '../../src/core/overload/overload.ts'
import { createKeyUse } from '../../src/core/partners/key-use.ts'
import { createPartner } from '../../src/core/partners/partner.ts'
import { createAcceptor } from '../../src/core/request/accept.ts'
import { createLimitedAcceptor } from '../../src/core/request/accept-limited.ts'
import { createKnownKeys } from '../../src/core/request/known-keys.ts'
import { traceService } from '../../src/core/server/trace-calls.ts'
import { createCallerChecks } from '../../src/core/services/caller-checks.ts'
import { createPaymentService } from '../../src/core/services/payment-service.ts'
import { createCoreTraces } from '../../src/core/traces.ts'
import { connectDatabase } from '../../src/database/connect.ts'
import { startFollowing } from '../../src/database/mark/follow.ts'
import { openNumberGuard } from '../../src/database/mark/number-guard.ts'
import { PaymentService } from '../../src/gen/mpesa/gateway/v1/payments_pb.js'
import { systemClock } from '../../src/runtime/clock.ts'
import { readConfig, readConfigTree, secretsOf } from '../../src/runtime/config.ts'
import { createWrongSecrets } from '../../src/runtime/count-wrong-secrets.ts'
import { createLog, type Log } from '../../src/runtime/log.ts'
import { openTracing, type Tracing } from '../../src/runtime/tracing/tracing.ts'
import { TRACING_TREE, toTracingConfig } from '../../src/runtime/tracing/tracing-config.ts'
import { testActor } from '../../test/support/actor.ts'
import { testVault } from '../../test/support/vault.ts'

/**
 * The gateway's way from a request to the commit and back, with everything `serve` does on it: authentication, every check,
 * idempotency, the durable commit of payment, key and duty, the log line; with one partner, and the settings of the
 * environment. The loops that come after the answer do not run: they belong to other figures, and their simulator would eat
 * the same two cores.
 */
export const openAccepting = async () => {
  const config = readConfig(process.env, [
    'DATABASE_URL',
    'DATABASE_POOL_SIZE',
    'SUBMIT_TTL_MS',
    'OVERLOAD_AFTER_MS',
    'PARTNER_REQUESTS_PER_SECOND',
    'PAYER_OPEN_PROMPTS',
    'PAYER_PROMPTS_PER_HOUR',
    'LOG_LEVEL',
  ])
  const log = createLog({ name: 'bench', level: config.LOG_LEVEL })
  const { database, guard } = await openDatabase(config, log)
  const wrongSecrets = createWrongSecrets({ perMinute: 60, nowMs: () => performance.now() })
  const keyUse = createKeyUse({ database, clock: systemClock, log })
  keyUse.start()
  const tracing = await openBenchTracing(log)
  const traces = tracing && createCoreTraces(tracing, { darajaUrl: 'http://127.0.0.1' })
  const accepting = {
    traces,
    database,
    submitTtlMs: config.SUBMIT_TTL_MS,
    numbers: guard.numbersOf(database),
  }
  const payments = createPaymentService({
    database,
    acceptor: createAcceptor(accepting),
    limitedAcceptor: createLimitedAcceptor(accepting),
    knownKeys: createKnownKeys(database),
    overload: openOverload(config, log),
    checks: createCallerChecks({
      database,
      nowMs: () => performance.now(),
      wrongSecrets,
      partnerRequestsPerSecond: config.PARTNER_REQUESTS_PER_SECOND,
      testRequestsPerSecond: 10,
      noteUse: keyUse.note,
      noteRefused: () => undefined,
      isStarted: () => true,
    }),
    payerLimits: {
      openPrompts: config.PAYER_OPEN_PROMPTS || null,
      promptsPerHour: config.PAYER_PROMPTS_PER_HOUR || null,
    },
    callbackUrlPolicy: { allowHttp: false, allowPrivateNetworks: false },
    log,
    metrics: createCoreMetrics(new Registry(), database),
    traces,
    onAccepted: () => undefined,
    onDeliveriesDue: () => undefined,
  })
  const { apiKey } = await createPartner({
    actor: testActor,
    database,
    name: 'Bench',
    vault: testVault,
    randomBytes,
  })
  const spec = createServiceImplSpec<typeof PaymentService>(PaymentService, payments)
  return {
    payments: tracing ? traceService<typeof PaymentService>(spec, tracing) : payments,
    log,
    wrongSecrets,
    apiKey,
  }
}

/** The database as `serve` opens it, with the guard of its numbers. */
const openDatabase = async (config: { DATABASE_URL: string; DATABASE_POOL_SIZE: number }, log: Log) => {
  const folder = mkdtempSync(join(tmpdir(), 'gateway-mark-'))
  const guard = await openNumberGuard({
    folder,
    name: 'bench',
    log,
    clock: systemClock,
    nowMs: () => performance.now(),
  })
  const database = connectDatabase({
    databaseUrl: config.DATABASE_URL,
    poolSize: config.DATABASE_POOL_SIZE,
    log,
    onConnect: guard.onConnect,
  })
  startFollowing({ database, guard, log })
  return { database, guard }
}

/** Where the environment names a collector. */
const openBenchTracing = (log: Log): Promise<Tracing | undefined> =>
  openTracing({
    config: {
      tracing: toTracingConfig(readConfigTree(process.env, TRACING_TREE)),
      keys: { secretKey: randomBytes(32) },
    },
    name: 'bench',
    registry: new Registry(),
    log,
    secrets: secretsOf(process.env),
  })

const openOverload = (config: { OVERLOAD_AFTER_MS: number; SUBMIT_TTL_MS: number }, log: Log) =>
  createOverload({
    afterMs: config.OVERLOAD_AFTER_MS,
    submitTtlMs: config.SUBMIT_TTL_MS,
    nowMs: () => performance.now(),
    random: Math.random,
    log,
  })
