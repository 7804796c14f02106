import { sql } from 'kysely'
import type { Database } from '../../database/connect.ts'
import { isOutage } from '../../database/outage.ts'
import { crashPoint } from '../../runtime/crash-point.ts'
import type { Log } from '../../runtime/log.ts'
import { type Loop, startLoop } from '../../runtime/loop.ts'
import { backOff, readHold } from '../daraja/back-off.ts'
import { waitForCall } from '../daraja/budget.ts'
import type { Daraja, FindAccount, TestAccount } from '../daraja/call.ts'
import { type PulledPage, type PulledTransaction, pullPage } from '../daraja/pull.ts'
import type { UniqueReferences } from '../daraja/unique-reference.ts'
import type { CoreMetrics } from '../metrics.ts'
import { createDueAccounts, type DueAccount } from '../payments/due-accounts.ts'
import { recordFindings } from '../settle/findings.ts'
import { reportFindings, reportSettlements } from '../settle/report-settlements.ts'
import { settle } from '../settle/settle.ts'
import type { CoreTraces } from '../traces.ts'
import { findPulled } from './find-pulled.ts'
import { createPullRegistration, pullBudget, reasonOf, recordRegistered } from './pull-registration.ts'
import { type ToConfirm, takeConfirmations } from './take-confirmations.ts'

const IDLE_MS = 1_000

/** Pages of one window that are walked at most: Daraja's offset may never advance. */
const MAX_PAGES = 50

/** What pulling needs; times in ms. */
export type Pulling = {
  database: Database
  findAccount: FindAccount
  references: UniqueReferences
  /** Where Daraja would call about Pull Transactions. */
  darajaCallbackUrl: string
  /** Shared with the query. */
  queriesPerSecond: number
  reconcileAfterMs: number
  random: () => number
  nowMs: () => number
  log: Log
  metrics: CoreMetrics
  traces?: CoreTraces | undefined
  onSettled: () => void
}

/** An account whose payments are looked for. */
type PulledAccount = DueAccount & { daraja: Daraja }

/**
 * Looks for payments in M-PESA's own records (Pull Transactions), for accounts that have them and give every payment a
 * reference of its own: those that are unconfirmed, and those that the query found paid, whose receipt is missing. A
 * record is a payment's only when it carries its reference and amount. Each call draws on the budget of the query.
 */
export const startPulling = (options: Pulling): Loop => {
  const stopping = new AbortController()
  const isRegistered = createPullRegistration({
    database: options.database,
    darajaCallbackUrl: options.darajaCallbackUrl,
    queriesPerSecond: options.queriesPerSecond,
    reconcileAfterMs: options.reconcileAfterMs,
    random: options.random,
    nowMs: options.nowMs,
    log: options.log,
    metrics: options.metrics,
  })
  const findDueAccounts = createDueAccounts('to_confirm', options)
  const round = async (): Promise<boolean> => {
    let more = false
    for (const { accountId, since } of await findDueAccounts()) {
      if (stopping.signal.aborted) return false
      const account = await options.findAccount(accountId)
      if (account?.test) more = (await recall(options, { accountId, since }, account.test)) || more
      if (!account?.pull) continue
      const { daraja, pull } = account
      // Both first: what cannot be looked for yet is not put off. Who waited here for an account that Daraja holds off
      // would have all others wait.
      if ((await readHold(options.database, daraja.account.shortcode)).forMs > 0) continue
      if (!(await isRegistered({ daraja, msisdn: pull.msisdn }, stopping.signal))) continue
      if (await pullOnce(options, { accountId, since, daraja }, stopping.signal)) more = true
    }
    return more
  }
  const loop = startLoop({ name: 'pull', idleMs: IDLE_MS, round, isOutage, log: options.log })
  const stop = (): Promise<void> => {
    stopping.abort()
    return loop.stop()
  }
  return { ...loop, stop }
}

/** Has the test payments that are due called back again; false when none is due. */
const recall = async (
  options: Pulling,
  { accountId, since }: DueAccount,
  account: TestAccount,
): Promise<boolean> => {
  const { database, reconcileAfterMs, random } = options
  const window = await takeConfirmations({ database, accountId, since, reconcileAfterMs, random })
  for (const payment of window?.payments ?? []) await account.callBackAgain(payment)
  return window !== null
}

/** Looks for what is due of one account; false when nothing is, or cannot be looked for now. */
const pullOnce = async (options: Pulling, account: PulledAccount, signal: AbortSignal): Promise<boolean> => {
  const window = await takeConfirmations({
    database: options.database,
    accountId: account.accountId,
    since: account.since,
    reconcileAfterMs: options.reconcileAfterMs,
    random: options.random,
  })
  if (window === null) return false
  const transactions = await readTransactions(options, account.daraja, window, signal)
  await settlePulled(options, window.payments, transactions)
  return true
}

/**
 * Every transaction of the window, as far as Daraja gives them; a page that fails ends the walk until the next time.
 */
const readTransactions = async (
  options: Pulling,
  daraja: Daraja,
  window: { from: Date; to: Date },
  signal: AbortSignal,
): Promise<PulledTransaction[]> => {
  const found = new Map<string, PulledTransaction>()
  const seen = new Set<string>()
  let offset = 0
  for (let page = 0; page < MAX_PAGES; page += 1) {
    if (!(await waitForCall(options.database, pullBudget(daraja, options.queriesPerSecond), signal))) break
    crashPoint('pull.before_send')
    const pulled = await pullPage(daraja, { from: window.from, to: window.to, offset })
    crashPoint('pull.after_send')
    options.metrics.pulled(pulled.kind)
    if (pulled.kind === 'failed') {
      await reportFailedPull(options, daraja.account.shortcode, pulled.reply)
      break
    }
    const before = seen.size
    for (const receipt of pulled.receipts) seen.add(receipt)
    for (const transaction of pulled.transactions) found.set(transaction.receipt, transaction)
    // An offset that does not advance brings the same page again, for ever.
    if (pulled.rows === 0 || seen.size === before) break
    offset += pulled.rows
    if (page === MAX_PAGES - 1) options.log.warn({ event: 'pull_cut_short', rows: offset })
  }
  return [...found.values()]
}

/** A page that was refused is how Daraja says that the shortcode is not registered, whatever we remember. */
const reportFailedPull = async (
  { database, log, metrics }: Pulling,
  shortcode: string,
  reply: Extract<PulledPage, { kind: 'failed' }>['reply'],
): Promise<void> => {
  log.warn({ event: 'pull_failed', answer: reply.kind, reason: reasonOf(reply) })
  if (reply.kind === 'later') await backOff({ database, shortcode, log, metrics }, reply)
  if (reply.kind === 'refused') {
    await recordRegistered(database, { shortcode, registeredAt: sql<null>`NULL` })
  }
}

const settlePulled = async (
  options: Pulling,
  payments: readonly ToConfirm[],
  transactions: readonly PulledTransaction[],
): Promise<void> => {
  const { evidence, findings } = findPulled({ references: options.references, payments, transactions })
  if (evidence.length === 0 && findings.length === 0) return
  const traced = options.traces?.settling()
  const settled = await options.database.transaction().execute(async (transaction) => {
    const settlements = await settle(transaction, evidence)
    const newFindings = await recordFindings(transaction, findings)
    crashPoint('settle_by_pull.before_commit')
    return { settlements, newFindings }
  })
  crashPoint('settle_by_pull.after_commit')
  reportSettlements(options, settled.settlements)
  traced?.(settled.settlements)
  reportFindings(options, settled.newFindings)
  if (settled.settlements.length > 0) options.onSettled()
}
