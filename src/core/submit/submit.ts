import type { Database } from '../../database/connect.ts'
import { isOutage } from '../../database/outage.ts'
import { crashPoint } from '../../runtime/crash-point.ts'
import type { Log } from '../../runtime/log.ts'
import { type Loop, startLoop } from '../../runtime/loop.ts'
import { maskMsisdn } from '../../values/msisdn.ts'
import { backOff } from '../daraja/back-off.ts'
import type { FindAccount, OpenAccount } from '../daraja/call.ts'
import { type PushOutcome, pushStk } from '../daraja/stk-push.ts'
import { type CoreMetrics, UNCOUNTED } from '../metrics.ts'
import { beginningAt, createDueAccounts, type DueAccount, sooner } from '../payments/due-accounts.ts'
import { reportSettlements } from '../settle/report-settlements.ts'
import type { CoreTraces } from '../traces.ts'
import { endDuePayments } from './end-due-payments.ts'
import { createPushRecorder, type PushRecorder } from './record-accepted.ts'
import { createPushTakers, type DuePayment, type PushTaker } from './take-due-payments.ts'

/** How long the loop rests when nothing is due and nobody wakes it, ms. */
const IDLE_MS = 500

/**
 * How long payments and slots gather after a look for what is due, ms: ten statements for one payment cost much more
 * than one for ten, and payers do not notice.
 */
const GATHER_MS = 20

/**
 * A payment that was taken longer ago than this is not pushed, ms: the process stood still, and the buyer may be gone.
 */
const STALE_MS = 10_000

/** Pushes of test payments at once, of all partners. */
const TEST_PUSHES_AT_ONCE = 64

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
  /** Pushes under way at once, at the most; how many of an account are follows what Daraja bears. */
  concurrency: number
  /** Pushes for each account, by all replicas; null: as many as `concurrency` lets out. */
  pushesPerSecond: number | null
  timeoutMs: number
  reconcileAfterMs: number
  nowMs: () => number
  random: () => number
  log: Log
  metrics: CoreMetrics
  traces?: CoreTraces | undefined
  onSettled: () => void
}

/**
 * Prompts payers: takes accepted payments, those due longest first, moves each to `submitting`, commits, sends one
 * push, and records what came of it. At most `concurrency` pushes are under way, fewer of an account that Daraja slows
 * down or turns away (`push-width.ts`). `wake` when a payment was accepted. `onSettled` is called after payments failed
 * here, for their deliveries are due.
 */
export const startSubmitting = (options: Submitting): Loop => {
  const underWay = new Set<Promise<void>>()
  const record = createPushRecorder(options)
  const takerOf = createPushTakers({
    database: options.database,
    concurrency: options.concurrency,
    pushesPerSecond: options.pushesPerSecond,
    timeoutMs: options.timeoutMs,
    nowMs: options.nowMs,
  })
  const findDueAccounts = createDueAccounts('to_submit', options)
  /** Slots of their own: however many rehearse, and wait, real payments do not wait for them. */
  const pushing = { real: 0, test: 0 }
  const widths = { real: options.concurrency, test: TEST_PUSHES_AT_ONCE }
  let rounds = 0

  const start = (taken: Taken): void => {
    const kind = kindOf(taken.account)
    const onPushed = (): void => {
      pushing[kind] -= 1
      taken.taker.ended()
      loop.wake()
    }
    pushing[kind] += 1
    taken.taker.started()
    // A record that fails leaves the payment in `submitting`; when its lease ends it is found and becomes
    // `unconfirmed`.
    const running = submit({ options, record, taken, onPushed }).catch((error: unknown) =>
      options.log.error({ event: 'push_not_recorded', payment_id: taken.payment.id, err: error }),
    )
    underWay.add(running)
    void running.then(() => underWay.delete(running))
  }

  const submitDue = async ({ accountId, since }: DueAccount): Promise<boolean | number> => {
    const takenAtMs = options.nowMs()
    const taker = takerOf(accountId)
    const account = await options.findAccount(accountId)
    const kind = kindOf(account)
    const taken = await taker.take({ account, since, free: widths[kind] - pushing[kind] })
    if (taken === null) return taker.waitMs()
    if (account) for (const payment of taken.toPush) start({ taker, account, payment, takenAtMs })
    if (taken.toEnd.length > 0) await end(options, taken.toEnd)
    return taken.more || taker.waitMs()
  }

  const round = async (): Promise<boolean | number> => {
    rounds += 1
    let again: boolean | number = false
    for (const account of beginningAt(await findDueAccounts(), rounds))
      again = sooner(again, await submitDue(account))
    return again
  }

  const loop = startLoop({
    name: 'submit',
    idleMs: IDLE_MS,
    minPauseMs: GATHER_MS,
    round,
    isOutage,
    log: options.log,
  })
  const stop = async (): Promise<void> => {
    record.last()
    await loop.stop()
    await Promise.all(underWay)
  }
  return { ...loop, stop }
}

const kindOf = (account: OpenAccount | null): 'real' | 'test' => (account?.test ? 'test' : 'real')

/** A payment that was taken, when, and by whom. */
type Taken = { taker: PushTaker; account: OpenAccount; payment: DuePayment; takenAtMs: number }

/**
 * Pushes a payment once, and has recorded what came of it. `onPushed` is called before the record, which keeps no other
 * payment from Daraja, and after a hold is written, which does.
 */
const submit = async (parts: {
  options: Submitting
  record: PushRecorder
  taken: Taken
  onPushed: () => void
}): Promise<void> => {
  const { options, record, taken } = parts
  const outcome = await pushAndReport(options, taken).finally(parts.onPushed)
  await record.add({ paymentId: taken.payment.id, take: taken.payment.takes, outcome })
}

const pushAndReport = async (options: Submitting, taken: Taken): Promise<PushOutcome> => {
  const { taker, account, payment, takenAtMs } = taken
  const startedAtMs = options.nowMs()
  const isStale = startedAtMs - takenAtMs > STALE_MS
  const outcome = isStale ? NOT_PUSHED : await push(options, account, payment)
  taker.answered({ kind: outcome.kind, tookMs: options.nowMs() - startedAtMs })
  const metrics = account.test === null ? options.metrics : UNCOUNTED
  metrics.pushed(outcome.kind)
  logOutcome(options.log, taken, outcome)
  if (outcome.kind === 'later') {
    const { database, log } = options
    await backOff({ database, shortcode: account.daraja.account.shortcode, log, metrics }, outcome)
  }
  return outcome
}

/** Ends what is due and not to be pushed, and reports it. */
const end = async (options: Submitting, ids: readonly bigint[]): Promise<void> => {
  const traced = options.traces?.settling()
  const { orphans, settlements } = await endDuePayments(options.database, ids)
  for (const found of orphans)
    options.log.warn({ event: 'payment_unconfirmed', payment_id: found, cause: 'submitter_lost' })
  reportSettlements(options, settlements)
  traced?.(settlements)
  if (settlements.length > 0) options.onSettled()
}

const push = async (options: Submitting, account: OpenAccount, payment: DuePayment): Promise<PushOutcome> => {
  crashPoint('push.before_send')
  const traced = options.traces?.pushing(payment.id, account.daraja)
  const outcome = await pushStk(traced?.daraja ?? account.daraja, payment, {
    accountReference: options.accountReferenceOf(payment, account),
    darajaCallbackUrl: options.darajaCallbackUrlOf(payment),
  })
  crashPoint('push.after_send')
  traced?.ended(outcome)
  return outcome
}

const logOutcome = (log: Log, { payment, account }: Taken, outcome: PushOutcome): void => {
  const lineOf = ({ event, ...more }: { event: string; [field: string]: string | number }) => ({
    event,
    payment_id: Number(payment.id),
    msisdn: maskMsisdn(payment.msisdn),
    ...more,
    ...(account.test !== null && { test: true }),
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
