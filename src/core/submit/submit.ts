import type { Database } from '../../database/connect.ts'
import { isOutage } from '../../database/outage.ts'
import { retryWhileUnavailable } from '../../database/retry-while-unavailable.ts'
import { runRows } from '../../database/run-rows.ts'
import { createBatcher } from '../../runtime/batch.ts'
import { crashPoint } from '../../runtime/crash-point.ts'
import type { Log } from '../../runtime/log.ts'
import { type Loop, startLoop } from '../../runtime/loop.ts'
import { maskMsisdn } from '../../values/msisdn.ts'
import { backOff } from '../daraja/back-off.ts'
import type { FindAccount, OpenAccount } from '../daraja/call.ts'
import { type PushOutcome, pushStk } from '../daraja/stk-push.ts'
import type { CoreMetrics } from '../metrics.ts'
import { beginningAt, findDueAccounts, sooner } from '../payments/due-accounts.ts'
import { reportFindings, reportSettlements } from '../settle/report-settlements.ts'
import { type Pushed, recordPushes } from './record-pushes.ts'
import { createPushTakers, type DuePayment, type PushTaker } from './take-due-payments.ts'

/** How long the loop rests when nothing is due and nobody wakes it, ms. */
const IDLE_MS = 500

/**
 * A payment that was taken longer ago than this is not pushed, ms: the process stood still, and the buyer may be gone.
 */
const STALE_MS = 10_000

/** What is recorded of it: it certainly was not pushed. */
const NOT_PUSHED: PushOutcome = {
  kind: 'later',
  code: 'stood_still',
  message: 'the process stood still before the push',
  afterMs: 1_000,
  concerns: 'this_payer',
}

/** What submitting needs; times in ms. */
export type Submitting = {
  database: Database
  findAccount: FindAccount
  /** Where Daraja is to call back for a payment. */
  darajaCallbackUrlOf: (payment: DuePayment) => string
  /** What the payer sees it is for. */
  accountReferenceOf: (payment: DuePayment, account: OpenAccount) => string
  concurrency: number
  /** Pushes for each account, by all replicas; null: as many as `concurrency` lets out. */
  pushesPerSecond: number | null
  timeoutMs: number
  reconcileAfterMs: number
  nowMs: () => number
  random: () => number
  log: Log
  metrics: CoreMetrics
  onSettled: () => void
}

/**
 * Prompts payers: takes accepted payments, those due longest first, moves each to `submitting`, commits, sends one
 * push, and records what came of it. At most `concurrency` pushes are under way, for an account half as many after each
 * recent hold. `wake` when a payment was accepted. `onSettled` is called after payments failed here, for their
 * deliveries are due.
 */
export const startSubmitting = (options: Submitting): Loop => {
  const underWay = new Set<Promise<void>>()
  const record = createPushRecorder({
    database: options.database,
    reconcileAfterMs: options.reconcileAfterMs,
    nowMs: options.nowMs,
    random: options.random,
    log: options.log,
    metrics: options.metrics,
    onSettled: options.onSettled,
  })
  const takerOf = createPushTakers({
    database: options.database,
    concurrency: options.concurrency,
    pushesPerSecond: options.pushesPerSecond,
    timeoutMs: options.timeoutMs,
    nowMs: options.nowMs,
  })
  let rounds = 0

  const submit = async (account: OpenAccount, payment: DuePayment, takenAtMs: number): Promise<void> => {
    const isStale = options.nowMs() - takenAtMs > STALE_MS
    const outcome = isStale ? NOT_PUSHED : await push(options, account, payment)
    options.metrics.pushed(outcome.kind)
    logOutcome(options.log, payment, outcome)
    if (outcome.kind === 'later') {
      const { database, log, metrics } = options
      await backOff({ database, shortcode: account.daraja.account.shortcode, log, metrics }, outcome)
    }
    await record.add({ paymentId: payment.paymentId, take: payment.take, outcome })
  }

  const start = (taker: PushTaker, account: OpenAccount, payment: DuePayment, takenAtMs: number): void => {
    // A record that fails leaves the payment in `submitting`; when its lease ends it is found and becomes
    // `unconfirmed`.
    const running = submit(account, payment, takenAtMs).catch((error: unknown) =>
      options.log.error({ event: 'push_not_recorded', payment_id: payment.paymentId, err: error }),
    )
    underWay.add(running)
    taker.started()
    void running.then(() => {
      underWay.delete(running)
      taker.ended()
      loop.wake()
    })
  }

  const submitDue = async (accountId: bigint): Promise<boolean | number> => {
    const takenAtMs = options.nowMs()
    const taker = takerOf(accountId)
    const account = await options.findAccount(accountId)
    const taken = await taker.take(account, options.concurrency - underWay.size)
    if (taken === null) return taker.waitMs()
    for (const found of taken.orphans)
      options.log.warn({ event: 'payment_unconfirmed', payment_id: found, cause: 'submitter_lost' })
    reportSettlements(options, taken.settlements)
    if (taken.settlements.length > 0) options.onSettled()
    if (account) for (const payment of taken.toPush) start(taker, account, payment, takenAtMs)
    return taken.more || taker.waitMs()
  }

  const round = async (): Promise<boolean | number> => {
    rounds += 1
    let again: boolean | number = false
    const accountIds = await findDueAccounts(options.database, 'to_submit')
    for (const accountId of beginningAt(accountIds, rounds)) again = sooner(again, await submitDue(accountId))
    return again
  }

  const loop = startLoop({ name: 'submit', idleMs: IDLE_MS, round, isOutage, log: options.log })
  const stop = async (): Promise<void> => {
    record.last()
    await loop.stop()
    await Promise.all(underWay)
  }
  return { ...loop, stop }
}

const push = async (options: Submitting, account: OpenAccount, payment: DuePayment): Promise<PushOutcome> => {
  crashPoint('push.before_send')
  const outcome = await pushStk(account.daraja, {
    msisdn: payment.msisdn,
    amountKes: payment.amountKes,
    accountReference: options.accountReferenceOf(payment, account),
    darajaCallbackUrl: options.darajaCallbackUrlOf(payment),
  })
  crashPoint('push.after_send')
  return outcome
}

const logOutcome = (log: Log, payment: DuePayment, outcome: PushOutcome): void => {
  const lineOf = ({ event, ...more }: { event: string; [field: string]: string | number }) => ({
    event,
    payment_id: Number(payment.paymentId),
    msisdn: maskMsisdn(payment.msisdn),
    ...more,
  })
  switch (outcome.kind) {
    case 'accepted':
      return log.info(lineOf({ event: 'push_accepted' }))
    case 'refused': {
      const { code, message } = outcome
      return log.warn(lineOf({ event: 'push_refused', code, message }))
    }
    case 'later': {
      const { code, afterMs, concerns } = outcome
      return log.info(lineOf({ event: 'push_to_be_repeated', code, after_ms: afterMs, concerns }))
    }
    case 'unknown':
      return log.warn(lineOf({ event: 'push_outcome_unknown', reason: outcome.reason }))
    default:
      return outcome satisfies never
  }
}

/** After `last`, for how long records still wait for a Postgres that is away, ms. */
const LAST_RECORDING_MS = 60_000

/**
 * Records outcomes, many in one transaction. An outcome is known to nobody else, so its record is tried for as long as
 * Postgres is away; once `last` was called, for a minute more.
 */
const createPushRecorder = (options: {
  database: Database
  reconcileAfterMs: number
  nowMs: () => number
  random: () => number
  log: Log
  metrics: CoreMetrics
  onSettled: () => void
}) => {
  const { database, reconcileAfterMs, random, log, metrics, nowMs, onSettled } = options
  let untilMs = Number.POSITIVE_INFINITY
  const batcher = createBatcher<Pushed, void>({
    maxItems: 200,
    maxRunning: 2,
    maxWaiting: 10_000,
    run: (all) =>
      runRows(all, async (pushes) => {
        const { settlements, findings } = await recordPushes({ database, reconcileAfterMs, random, pushes })
        reportSettlements({ log, metrics }, settlements)
        reportFindings({ log, metrics }, findings)
        if (settlements.length > 0) onSettled()
        return pushes.map(() => undefined)
      }),
  })

  const add = (pushed: Pushed): Promise<void> =>
    retryWhileUnavailable(() => batcher.add(pushed), { isOver: (pauseMs) => nowMs() + pauseMs > untilMs })

  const last = (): void => {
    untilMs = nowMs() + LAST_RECORDING_MS
  }

  return { add, last }
}
