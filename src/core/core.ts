import { createVault, type Vault } from '../runtime/seal.ts'
import type { ReadableCallback } from './callback/read-evidence.ts'
import { type CallbackReceiver, createDatabaseAvailability, createReceiver } from './callback/receive.ts'
import { type CallbackTokens, createCallbackTokens } from './callback/token.ts'
import type { CoreOptions } from './core-options.ts'
import { createDarajaConnections } from './daraja/client.ts'
import { createCatchUp } from './events/catch-up.ts'
import { createEventTail, type EventTail } from './events/tail.ts'
import { type CoreLoops, startLoops } from './loops.ts'
import { createOperatorServices } from './operator-services.ts'
import { createOverload, type Overload } from './overload/overload.ts'
import { createKeyUse } from './partners/key-use.ts'
import { createAccounts } from './partners/open-accounts.ts'
import { QUERIES_AT_ONCE } from './reconcile/reconcile.ts'
import { createCallBack } from './rehearsal/call-back.ts'
import { createTestAccounts } from './rehearsal/test-accounts.ts'
import { type Acceptor, createAcceptor } from './request/accept.ts'
import { createLimitedAcceptor, type LimitedAcceptor } from './request/accept-limited.ts'
import { createKnownKeys } from './request/known-keys.ts'
import type { Services } from './server/services.ts'
import { traceCalls } from './server/trace-calls.ts'
import { type CallerChecks, createCallerChecks } from './services/caller-checks.ts'
import { createDarajaCallbackService } from './services/daraja-callback-service.ts'
import { createPaymentEventService } from './services/payment-event-service.ts'
import { createPaymentService } from './services/payment-service.ts'
import { createStatusService } from './services/status-service.ts'
import { createStatus } from './status/read-status.ts'
import { type CoreTraces, createCoreTraces } from './traces.ts'

export type Core = {
  /**
   * They can be called at once. Until `start`, callbacks go to the spool and everything that asks for a key or a token
   * is UNAVAILABLE.
   */
  services: Services
  /** Starts the loops. Call it once the database is known to have the schema of this release. */
  start(): void
  /** Rejects when a loop met a defect: the process must end. */
  failed: Promise<never>
  /** Ends the streams of those who watch, who go on elsewhere. Call it before the servers close, which wait for them. */
  endWatching(): void
  /** Lets everything under way finish and be recorded; call it once no more requests come. */
  stop(): Promise<void>
}

/** Puts the stages of the core together. */
export const createCore = (options: CoreOptions): Core => {
  const { config, database, log, clock, nowMs, randomBytes, spool } = options
  const { secretKey, previousSecretKey } = config.keys
  const vault = createVault({ secretKey, previousSecretKey, randomBytes })
  const tokens = createCallbackTokens({ secretKey, previousSecretKey })
  const { tracing } = options
  const traces = tracing && createCoreTraces(tracing, { darajaUrl: config.daraja.baseUrl })
  const accepting = { traces, database, submitTtlMs: config.submit.ttlMs, numbers: options.numbers }
  const acceptor = createAcceptor(accepting)
  const limitedAcceptor = createLimitedAcceptor(accepting)
  const overload = watchOverload(options)
  const availability = createDatabaseAvailability({ log, nowMs })
  const receiver = createReceiver({ database, spool, availability, patienceMs: options.callbackPatienceMs })
  const keyUse = createKeyUse({ database, clock, log })
  const tail = createEventTail({ database, log })
  let loops: CoreLoops | undefined
  const onReceived = (callback: ReadableCallback): void => loops?.interpreting.interpret(callback)
  const accounts = openAccounts(options, { vault, tokens, receiver, onReceived })

  const checks = createCallerChecks({
    database,
    nowMs,
    wrongSecrets: options.wrongSecrets,
    partnerRequestsPerSecond: config.callers.partnerRequestsPerSecond,
    testRequestsPerSecond: config.callers.testRequestsPerSecond,
    noteUse: keyUse.note,
    noteRefused: options.noteRefused,
    isStarted: () => loops !== undefined,
  })
  const defect = Promise.withResolvers<never>()
  defect.promise.catch(() => undefined)
  const services = createServices(options, {
    acceptor,
    limitedAcceptor,
    overload,
    receiver,
    tokens,
    vault,
    checks,
    tail,
    traces,
    onAccepted: () => loops?.submitting.wake(),
    onReceived,
    isStarted: () => loops !== undefined,
  })
  return {
    services: tracing ? traceCalls(services, tracing) : services,
    start: () => {
      availability.markUp()
      loops = startLoops(options, {
        tokens,
        availability,
        keyUse,
        findAccount: accounts.find,
        tail,
        overload,
        traces,
      })
      for (const loop of loops.all) loop.ended.catch(defect.reject)
    },
    failed: defect.promise,
    endWatching: () => tail.close(),
    stop: async () => {
      tail.close()
      accounts.stopRehearsing()
      await Promise.all([acceptor.drained(), limitedAcceptor.drained(), receiver.drained()])
      await Promise.allSettled(loops?.all.map((loop) => loop.stop()) ?? [])
      await accounts.close()
    },
  }
}

/** Opens what payments go through: accounts at Daraja, and those of test payments. */
const openAccounts = (
  { config, database, log, clock, nowMs, newId, rehearsal }: CoreOptions,
  parts: {
    vault: Vault
    tokens: CallbackTokens
    receiver: CallbackReceiver
    onReceived: (callback: ReadableCallback) => void
  },
) => {
  const daraja = createDarajaConnections({
    baseUrl: config.daraja.baseUrl,
    timeoutMs: config.daraja.timeoutMs,
    pushes: config.submit.concurrency,
    // One more, for Pull Transactions.
    queries: QUERIES_AT_ONCE + 1,
  })
  const { vault, tokens, receiver, onReceived } = parts
  const testAccounts = createTestAccounts({
    rehearsal,
    tokens,
    callBack: createCallBack({ receiver, newId, clock, log, onReceived }),
    timeoutMs: config.daraja.timeoutMs,
    clock,
  })
  const { account, uniqueReference, pull } = config.daraja
  const find = createAccounts({
    database,
    vault,
    send: daraja.send,
    clock,
    nowMs,
    log,
    defaultAccount: { account, uniqueReference, pull },
    openTestAccount: testAccounts.open,
  })
  return { find, stopRehearsing: () => testAccounts.close(), close: () => daraja.close() }
}

/** What new payments are refused by, and its metrics. */
const watchOverload = ({ config, nowMs, random, log, metrics }: CoreOptions): Overload => {
  const { overloadAfterMs: afterMs, ttlMs: submitTtlMs } = config.submit
  const overload = createOverload({ afterMs, submitTtlMs, nowMs, random, log })
  metrics.showOverload(overload.state)
  return overload
}

const createServices = (
  options: CoreOptions,
  stages: {
    acceptor: Acceptor
    limitedAcceptor: LimitedAcceptor
    overload: Overload
    receiver: CallbackReceiver
    tokens: CallbackTokens
    vault: Vault
    checks: CallerChecks
    tail: EventTail
    traces: CoreTraces | undefined
    onAccepted: () => void
    onReceived: (callback: ReadableCallback) => void
    isStarted: () => boolean
  },
): Services => {
  const { config, database, log, metrics, clock, nowMs } = options
  const { checks } = stages
  return {
    payments: createPaymentService({
      database,
      acceptor: stages.acceptor,
      limitedAcceptor: stages.limitedAcceptor,
      knownKeys: createKnownKeys(database),
      overload: stages.overload,
      payerLimits: config.payerLimits,
      checks,
      callbackUrlPolicy: config.callbackUrlPolicy,
      log,
      metrics,
      traces: stages.traces,
      onAccepted: stages.onAccepted,
      onDeliveriesDue: options.onDeliveriesDue,
    }),
    paymentEvents: createPaymentEventService({
      database,
      tail: stages.tail,
      catchUp: createCatchUp(database),
      limits: config.watchers,
      checks,
      log,
      metrics,
      nowMs,
    }),
    darajaCallbacks: createDarajaCallbackService({
      receiver: stages.receiver,
      tokens: stages.tokens,
      sources: config.callbacks.sources,
      newId: options.newId,
      clock,
      nowMs,
      checks,
      log,
      metrics,
      callbackMetrics: options.callbackMetrics,
      traces: stages.traces,
      onReceived: stages.onReceived,
    }),
    ...createOperatorServices(options, stages),
    status: createStatusOf(options, stages),
  }
}

/** How the gateway is doing, for anybody. */
const createStatusOf = (
  { config, database, clock, nowMs, log }: CoreOptions,
  { isStarted }: { isStarted: () => boolean },
) =>
  createStatusService({
    readStatus: createStatus({
      database,
      shortcode: config.daraja.account.shortcode,
      isStarted,
      clock,
      nowMs,
    }),
    log,
  })
