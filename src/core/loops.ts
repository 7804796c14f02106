import type { Loop } from '../runtime/loop.ts'
import { startForgettingStrangers } from './callback/forget-strangers.ts'
import { type Interpreter, startInterpreting } from './callback/interpret.ts'
import type { DatabaseAvailability } from './callback/receive.ts'
import { startReplaying } from './callback/replay.ts'
import { type CallbackTokens, renderCallbackUrl } from './callback/token.ts'
import type { CoreOptions } from './core-options.ts'
import type { FindAccount } from './daraja/call.ts'
import { toAccountReference } from './daraja/stk-push.ts'
import { createUniqueReferences } from './daraja/unique-reference.ts'
import { startForgettingEndpoints } from './deliveries/forget-endpoints.ts'
import type { EventTail } from './events/tail.ts'
import type { Overload } from './overload/overload.ts'
import { startWatchingWaits } from './overload/read-waits.ts'
import { startPartitioning } from './partitioning.ts'
import { startForgettingCounts } from './partners/forget-counts.ts'
import type { KeyUse } from './partners/key-use.ts'
import { startPulling } from './reconcile/pull-transactions.ts'
import { startReconciling } from './reconcile/reconcile.ts'
import { startSignalling } from './signals/signal.ts'
import { startForgettingUploads } from './statements/forget-uploads.ts'
import { startSubmitting } from './submit/submit.ts'
import { startSummingTotals } from './totals/sum-totals.ts'
import type { CoreTraces } from './traces.ts'
import { startCountingTraffic } from './traffic/count-traffic.ts'

/** What the loops share with the services. */
export type Shared = {
  tokens: CallbackTokens
  availability: DatabaseAvailability
  keyUse: KeyUse
  findAccount: FindAccount
  tail: EventTail
  overload: Overload
  traces: CoreTraces | undefined
}

export type CoreLoops = { submitting: Loop; interpreting: Interpreter; all: readonly Loop[] }

/** Starts the loops of the core. */
export const startLoops = (options: CoreOptions, shared: Shared): CoreLoops => {
  const { config, database, nowMs, log, metrics } = options
  const { availability } = shared
  const interpreting = startInterpreting({
    database,
    nowMs,
    log,
    metrics,
    traces: shared.traces,
    onSettled: options.onDeliveriesDue,
    publishAtOnce: options.publishAtOnce,
    pullsByDefault: config.daraja.pull !== null,
  })
  const replaying = startReplaying({
    database,
    spool: options.spool,
    availability,
    log,
    onReceived: interpreting.wakeForOld,
  })
  const { submitting, ...others } = startAskingDaraja(options, shared)
  const all = [
    submitting,
    interpreting,
    replaying,
    others.reconciling,
    others.pulling,
    startWatchingWaits({
      database,
      overload: shared.overload,
      shortcode: config.daraja.account.shortcode,
      nowMs: options.nowMs,
      log,
    }),
    shared.keyUse.start(),
    shared.tail.start(),
    startPartitioning({ database, keepDays: config.keepDays, log }),
    startForgettingCounts({ database, log }),
    startCountingTraffic({ database, log }),
    startSummingTotals({ database, log }),
    startForgettingStrangers({
      database,
      list: config.callbacks.sources.list,
      keepDays: config.keepDays.strangers,
      log,
    }),
    startForgettingUploads({ database, log }),
    startForgettingEndpoints({ database, log }),
    ...startSignalling({
      database,
      url: config.signals.url,
      overdueAfterMs: config.operations.overdueAfterMs,
      onDeliveriesDue: options.onDeliveriesDue,
      log,
    }),
  ]
  return { submitting, interpreting, all }
}

/** Starts the loops that call Daraja. */
const startAskingDaraja = (options: CoreOptions, { tokens, findAccount, traces }: Shared) => {
  const { config, database, log, metrics, nowMs, random } = options
  const { timeoutMs, pushesPerSecond, queriesPerSecond } = config.daraja
  const { publicUrl } = config.callbacks
  const references = createUniqueReferences(config.keys)
  const reconcileAfterMs = config.reconcile.afterMs
  const onSettled = options.onDeliveriesDue
  const submitting = startSubmitting({
    database,
    findAccount,
    darajaCallbackUrlOf: ({ id, callback_nonce: nonce }) =>
      renderCallbackUrl({ publicUrl, token: tokens.issue(id), nonce }),
    accountReferenceOf: ({ id, reference, callback_nonce }, { uniqueReference }) =>
      uniqueReference ? references.issue(id, callback_nonce) : toAccountReference(reference, id),
    concurrency: config.submit.concurrency,
    pushesPerSecond,
    timeoutMs,
    reconcileAfterMs,
    nowMs,
    random,
    log,
    metrics,
    traces,
    onSettled,
  })
  const reconciling = startReconciling({
    database,
    findAccount,
    queriesPerSecond,
    reconcileAfterMs,
    timeoutMs,
    random,
    nowMs,
    log,
    metrics,
    traces,
    onSettled,
  })
  const pulling = startPulling({
    database,
    findAccount,
    references,
    // Daraja requires an address; what it posts there is kept like every callback of a token that nobody issued.
    darajaCallbackUrl: `${publicUrl}/callbacks/stk/pull`,
    queriesPerSecond,
    reconcileAfterMs,
    random,
    nowMs,
    log,
    metrics,
    traces,
    onSettled,
  })
  return { submitting, reconciling, pulling }
}
