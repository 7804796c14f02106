import { type RawBuilder, sql } from 'kysely'
import type { Database } from '../../database/connect.ts'
import { crashPoint } from '../../runtime/crash-point.ts'
import type { Log } from '../../runtime/log.ts'
import { backOff } from '../daraja/back-off.ts'
import { type Budget, waitForCall } from '../daraja/budget.ts'
import type { Daraja } from '../daraja/call.ts'
import { registerPull } from '../daraja/pull.ts'
import type { CoreMetrics } from '../metrics.ts'
import { nextDelay } from '../payments/duties.ts'

/** The longest pause between two tries to register a shortcode, ms: payments wait for it. */
const MAX_PAUSE_MS = 600_000

/** An account to be registered; `msisdn`: the number that was nominated for Pull Transactions, null: none. */
type Registering = { daraja: Daraja; msisdn: string | null }

/** Registers the shortcode unless some replica has done so before; false when it is not registered yet. */
export type PullRegistration = (account: Registering, signal: AbortSignal) => Promise<boolean>

type Options = {
  database: Database
  /** Where Daraja would call about Pull Transactions. */
  darajaCallbackUrl: string
  queriesPerSecond: number
  reconcileAfterMs: number
  random: () => number
  nowMs: () => number
  log: Log
  metrics: CoreMetrics
}

/** The bucket that Pull Transactions draw on. */
export const pullBudget = (daraja: Daraja, queriesPerSecond: number): Budget => ({
  shortcode: daraja.account.shortcode,
  call: 'query',
  perSecond: queriesPerSecond,
})

/** Registers shortcodes for Pull Transactions; one that is refused is tried again after pauses of its own that grow. */
export const createPullRegistration = (options: Options): PullRegistration => {
  const pauses = new Map<string, { tries: number; untilMs: number }>()
  return async (account, signal) => {
    const { shortcode } = account.daraja.account
    if (await isRegistered(options.database, shortcode)) return true
    const pause = pauses.get(shortcode)
    if (pause && options.nowMs() < pause.untilMs) return false
    const registered = await register(options, account, signal)
    if (registered) pauses.delete(shortcode)
    else {
      const tries = pause?.tries ?? 0
      const forMs = nextDelay({ firstMs: options.reconcileAfterMs, queries: tries, random: options.random })
      pauses.set(shortcode, { tries: tries + 1, untilMs: options.nowMs() + Math.min(forMs, MAX_PAUSE_MS) })
    }
    return registered
  }
}

const isRegistered = async (database: Database, shortcode: string): Promise<boolean> => {
  const known = await database
    .selectFrom('daraja_accounts')
    .select('pull_registered_at')
    .where('shortcode', '=', shortcode)
    .executeTakeFirst()
  return Boolean(known?.pull_registered_at)
}

const register = async (
  options: Options,
  { daraja, msisdn }: Registering,
  signal: AbortSignal,
): Promise<boolean> => {
  const { database, darajaCallbackUrl, queriesPerSecond, log, metrics } = options
  const { shortcode } = daraja.account
  if (!(await waitForCall(database, pullBudget(daraja, queriesPerSecond), signal))) return false
  crashPoint('register_pull.before_send')
  const reply = await registerPull(daraja, { msisdn, darajaCallbackUrl })
  crashPoint('register_pull.after_send')
  if (reply.kind !== 'success') {
    if (reply.kind === 'later') await backOff({ database, shortcode, log, metrics }, reply)
    log.warn({ event: 'pull_not_registered', shortcode, answer: reply.kind, reason: reasonOf(reply) })
    return false
  }
  await recordRegistered(database, { shortcode, registeredAt: sql<Date>`now()` })
  log.info({ event: 'pull_registered', shortcode })
  return true
}

/** Whether the shortcode is registered; a null instant: it is not, and has to be again. */
export const recordRegistered = async (
  database: Database,
  { shortcode, registeredAt }: { shortcode: string; registeredAt: RawBuilder<Date | null> },
): Promise<void> => {
  crashPoint('pull_registered.before_commit')
  await database
    .insertInto('daraja_accounts')
    .values({ shortcode, pull_registered_at: registeredAt })
    .onConflict((conflict) =>
      conflict.column('shortcode').doUpdateSet((set) => ({
        pull_registered_at: set.ref('excluded.pull_registered_at'),
      })),
    )
    .execute()
  crashPoint('pull_registered.after_commit')
}

/** Why there was no success, for the log. */
export const reasonOf = (reply: object): string =>
  'message' in reply ? String(reply.message) : 'reason' in reply ? String(reply.reason) : ''
