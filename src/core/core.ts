import { createVault, type Vault } from '../runtime/seal.ts'
import type { ReadableCallback } from './callback/read-evidence.ts'
import { type CallbackReceiver, createDatabaseAvailability, createReceiver } from './callback/receive.ts'
import { type CallbackTokens, createCallbackTokens } from './callback/token.ts'
import type { CoreOptions } from './core-options.ts'
import { createDarajaConnections } from './daraja/client.ts'
import { type CoreLoops, startLoops } from './loops.ts'
import { createKeyUse } from './partners/key-use.ts'
import { createAccounts } from './partners/open-accounts.ts'
import { QUERIES_AT_ONCE } from './reconcile/reconcile.ts'
import { type Acceptor, createAcceptor } from './request/accept.ts'
import { createLimitedAcceptor, type LimitedAcceptor } from './request/accept-limited.ts'
import type { Services } from './server/services.ts'
import { type CallerChecks, createCallerChecks } from './services/caller-checks.ts'
import { createDarajaCallbackService } from './services/daraja-callback-service.ts'
import { createDeliveryService, createPartnerService } from './services/operator-access.ts'
import { createPaymentService } from './services/payment-service.ts'

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
  /** Lets everything under way finish and be recorded; call it once no more requests come. */
  stop(): Promise<void>
}

/** Puts the stages of the core together. */
export const createCore = (options: CoreOptions): Core => {
  const { config, database, log, clock, nowMs, randomBytes, spool } = options
  const { secretKey, previousSecretKey } = config.keys
  const vault = createVault({ secretKey, previousSecretKey, randomBytes })
  const tokens = createCallbackTokens({ secretKey, previousSecretKey })
  const accepting = { database, submitTtlMs: config.submit.ttlMs, numbers: options.numbers }
  const acceptor = createAcceptor(accepting)
  const limitedAcceptor = createLimitedAcceptor(accepting)
  const availability = createDatabaseAvailability({ log, nowMs })
  const receiver = createReceiver({ database, spool, availability, patienceMs: options.callbackPatienceMs })
  const keyUse = createKeyUse({ database, clock, log })
  const daraja = createDarajaConnections({
    baseUrl: config.daraja.baseUrl,
    timeoutMs: config.daraja.timeoutMs,
    pushes: config.submit.concurrency,
    // One more, for Pull Transactions.
    queries: QUERIES_AT_ONCE + 1,
  })
  const { account, uniqueReference, pull } = config.daraja
  const defaultAccount = { account, uniqueReference, pull }
  const findAccount = createAccounts({
    database,
    vault,
    send: daraja.send,
    clock,
    nowMs,
    log,
    defaultAccount,
  })

  let loops: CoreLoops | undefined
  const checks = createCallerChecks({
    database,
    nowMs,
    wrongSecrets: options.wrongSecrets,
    partnerRequestsPerSecond: config.callers.partnerRequestsPerSecond,
    noteUse: keyUse.note,
    isStarted: () => loops !== undefined,
  })
  const defect = Promise.withResolvers<never>()
  defect.promise.catch(() => undefined)
  return {
    services: createServices(options, {
      acceptor,
      limitedAcceptor,
      receiver,
      tokens,
      vault,
      checks,
      onAccepted: () => loops?.submitting.wake(),
      onReceived: (callback) => loops?.interpreting.interpret(callback),
    }),
    start: () => {
      availability.markUp()
      loops = startLoops(options, { tokens, availability, keyUse, findAccount })
      for (const loop of loops.all) loop.ended.catch(defect.reject)
    },
    failed: defect.promise,
    stop: async () => {
      await Promise.all([acceptor.drained(), limitedAcceptor.drained(), receiver.drained()])
      await Promise.allSettled(loops?.all.map((loop) => loop.stop()) ?? [])
      await daraja.close()
    },
  }
}

const createServices = (
  options: CoreOptions,
  stages: {
    acceptor: Acceptor
    limitedAcceptor: LimitedAcceptor
    receiver: CallbackReceiver
    tokens: CallbackTokens
    vault: Vault
    checks: CallerChecks
    onAccepted: () => void
    onReceived: (callback: ReadableCallback) => void
  },
): Services => {
  const { config, database, log, metrics, clock, nowMs, randomBytes } = options
  const { checks } = stages
  return {
    payments: createPaymentService({
      database,
      acceptor: stages.acceptor,
      limitedAcceptor: stages.limitedAcceptor,
      payerLimits: config.payerLimits,
      checks,
      callbackUrlPolicy: config.callbackUrlPolicy,
      log,
      metrics,
      onAccepted: stages.onAccepted,
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
      onReceived: stages.onReceived,
    }),
    partners: createPartnerService({ database, checks, vault: stages.vault, randomBytes, log }),
    deliveries: createDeliveryService({ database, checks, log, onDeliveriesDue: options.onDeliveriesDue }),
  }
}
