import type { Database } from '../database/connect.ts'
import type { PaymentNumbers } from '../database/mark/number-guard.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Log } from '../runtime/log.ts'
import type { Loop } from '../runtime/loop.ts'
import { createVault } from '../runtime/seal.ts'
import type { WrongSecrets } from '../runtime/wrong-secrets.ts'
import type { CallbackUrlPolicy } from '../values/callback-url.ts'
import { createCallbackIds } from './callback/callback.ts'
import type { CallbackMetrics } from './callback/callback-metrics.ts'
import { startForgettingStrangers } from './callback/forget-strangers.ts'
import { startInterpreting } from './callback/interpret.ts'
import { createDatabaseAvailability, createReceiver } from './callback/receive.ts'
import { startReplaying } from './callback/replay.ts'
import type { Spool } from './callback/spool.ts'
import type { CallbackSources } from './callback/strangers.ts'
import { createCallbackTokens, renderCallbackUrl } from './callback/token.ts'
import type { DarajaAccount } from './daraja/account.ts'
import { createDarajaConnections } from './daraja/client.ts'
import { toAccountReference } from './daraja/stk-push.ts'
import { createUniqueReferences } from './daraja/unique-reference.ts'
import type { CoreMetrics } from './metrics.ts'
import { type KeepDays, startPartitioning } from './partitioning.ts'
import { startForgettingCounts } from './partners/forget-counts.ts'
import { startKeyUse } from './partners/key-use.ts'
import { createAccounts } from './partners/open-accounts.ts'
import { startPulling } from './reconcile/pull-transactions.ts'
import { QUERIES_AT_ONCE, startReconciling } from './reconcile/reconcile.ts'
import { createAcceptor } from './request/acceptor.ts'
import type { PayerLimits } from './request/payer-limits.ts'
import type { Services } from './server/services.ts'
import { createCallerChecks } from './services/caller-checks.ts'
import { createDarajaCallbackService } from './services/daraja-callback-service.ts'
import { createDeliveryService, createPartnerService } from './services/operator-services.ts'
import { createPaymentService } from './services/payment-service.ts'
import { startSubmitting } from './submit/submit.ts'

/** What the core works with; times in ms. */
export type CoreOptions = {
  database: Database
  log: Log
  metrics: CoreMetrics
  clock: Clock
  /** A monotonic time, ms. */
  nowMs: () => number
  random: () => number
  randomBytes: (count: number) => Buffer
  secretKey: Uint8Array
  previousSecretKey: Uint8Array | null
  /** What Daraja calls back, without a slash at its end. */
  publicUrl: string
  /** Keeps ids of payments from being given out twice. */
  numbers: PaymentNumbers
  /** Where callbacks are durable while Postgres is away. */
  spool: Spool
  callbackMetrics: CallbackMetrics
  /** How long a callback waits for Postgres before it goes to the spool, ms. */
  callbackPatienceMs: number
  callbackSources: CallbackSources
  callbackUrlPolicy: CallbackUrlPolicy
  /** Counts the wrong keys and tokens that an address shows to this replica. */
  wrongSecrets: WrongSecrets
  /** Requests a second of a partner that has no rate of its own, to all replicas; null: no limit. */
  partnerRequestsPerSecond: number | null
  payerLimits: PayerLimits
  darajaBaseUrl: string
  darajaAccount: DarajaAccount
  darajaTimeoutMs: number
  submitTtlMs: number
  submitConcurrency: number
  /** Pushes a second for the account; null: as many as `submitConcurrency` lets out. */
  pushesPerSecond: number | null
  reconcileAfterMs: number
  /** Queries and pulls a second for the account. */
  queriesPerSecond: number
  /** True: the AccountReference is unique for each payment, instead of the partner's reference. */
  uniqueReference: boolean
  /** Pull Transactions, where the account has them; null: it has not. They need `uniqueReference`. */
  pull: { msisdn: string | null } | null
  /** For how many days what is partitioned by month is kept. */
  keepDays: KeepDays
  /** For how many days strangers' callbacks are kept. */
  keepStrangersDays: number
  /** Called after deliveries were committed to the outbox. */
  onDeliveriesDue: () => void
}

export type Core = {
  services: Services
  /** Rejects when a loop met a defect: the process must end. */
  failed: Promise<never>
  /** Lets everything under way finish and be recorded; call it once no more requests come. */
  stop(): Promise<void>
}

/** Puts the stages of the core together and starts its loops. */
export const startCore = (options: CoreOptions): Core => {
  const tokens = createCallbackTokens(options)
  const acceptor = createAcceptor(options)
  const availability = createDatabaseAvailability(options)
  const receiver = createReceiver({ ...options, availability, patienceMs: options.callbackPatienceMs })
  const client = createDarajaConnections({
    baseUrl: options.darajaBaseUrl,
    timeoutMs: options.darajaTimeoutMs,
    pushes: options.submitConcurrency,
    // One more, for Pull Transactions.
    queries: QUERIES_AT_ONCE + 1,
  })
  const vault = createVault(options)
  const findAccount = createAccounts({
    ...options,
    vault,
    send: client.send,
    defaultAccount: {
      account: options.darajaAccount,
      uniqueReference: options.uniqueReference,
      pull: options.pull,
    },
  })
  const stage = {
    ...options,
    findAccount,
    timeoutMs: options.darajaTimeoutMs,
    onSettled: options.onDeliveriesDue,
  }
  const references = createUniqueReferences(options)
  const submitting = startSubmitting({
    ...stage,
    concurrency: options.submitConcurrency,
    accountReferenceOf: ({ paymentId, reference, callbackNonce }, { uniqueReference }) =>
      uniqueReference ? references.issue(paymentId, callbackNonce) : toAccountReference(reference, paymentId),
    darajaCallbackUrlOf: ({ paymentId, callbackNonce: nonce }) =>
      renderCallbackUrl({ ...options, token: tokens.issue(paymentId), nonce }),
  })
  const interpreting = startInterpreting(stage)
  const replaying = startReplaying({ ...options, availability, onReceived: interpreting.wake })
  const loops = [submitting, interpreting, replaying, startReconciling(stage), ...startForgetting(options)]
  // Daraja requires an address; what it posts there is kept like every callback of a token that nobody issued.
  const darajaCallbackUrl = `${options.publicUrl}/callbacks/stk/pull`
  loops.push(startPulling({ ...stage, references, darajaCallbackUrl }))
  const keyUse = startKeyUse(options)
  loops.push(keyUse)
  const checks = createCallerChecks({ ...options, noteUse: keyUse.note })
  return {
    services: {
      payments: createPaymentService({ ...options, acceptor, checks, onAccepted: submitting.wake }),
      darajaCallbacks: createDarajaCallbackService({
        ...options,
        receiver,
        tokens,
        sources: options.callbackSources,
        newId: createCallbackIds(options),
        checks,
        onReceived: interpreting.wake,
      }),
      partners: createPartnerService({ ...options, vault, checks }),
      deliveries: createDeliveryService({ ...options, checks }),
    },
    failed: firstFailure(loops),
    stop: async () => {
      await Promise.all([acceptor.drained(), receiver.drained()])
      await Promise.allSettled(loops.map((loop) => loop.stop()))
      await client.close()
      await options.spool.close()
    },
  }
}

/** The loops that make room for what comes, and forget what was kept for long enough. */
const startForgetting = (options: CoreOptions): Loop[] => [
  startPartitioning(options),
  startForgettingCounts(options),
  startForgettingStrangers({
    ...options,
    sources: options.callbackSources,
    keepDays: options.keepStrangersDays,
  }),
]

const firstFailure = (loops: readonly Loop[]): Promise<never> => {
  const failed = new Promise<never>((_resolve, reject) => {
    for (const loop of loops) loop.ended.catch(reject)
  })
  failed.catch(() => undefined)
  return failed
}
