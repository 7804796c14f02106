import type { Database } from '../../database/connect.ts'
import { endureOutage } from '../../database/endure.ts'
import { isOutage } from '../../database/outage.ts'
import { type Batcher, createBatcher } from '../../runtime/batch.ts'
import { crashPoint } from '../../runtime/crash-point.ts'
import type { Log } from '../../runtime/log.ts'
import { type Loop, startLoop } from '../../runtime/loop.ts'
import { maskMsisdn } from '../../values/msisdn.ts'
import type { Daraja } from '../daraja/call.ts'
import { type PushOutcome, pushStk } from '../daraja/stk-push.ts'
import type { CoreMetrics } from '../metrics.ts'
import { type Pushed, recordPushes } from './record-pushes.ts'
import { type DuePayment, takeDuePayments } from './take-due-payments.ts'
import { tellSettlements } from './tell-settlements.ts'

/** How long the loop rests when nothing is due and nobody wakes it, ms. */
const IDLE_MS = 500

/** For how long the record of a push outlasts an outage of Postgres, ms. */
const RECORDING_MS = 120_000

/** What a lease is longer than the calls to Daraja and the record of their outcome may take, ms. */
const LEASE_MARGIN_MS = 30_000

/**
 * Prompts payers: takes accepted payments in their turn, moves each to `submitting`, commits, sends one push, and records
 * what came of it. At most `concurrency` pushes are under way. `wake` when a payment was accepted. `onSettled` is called
 * after payments failed here, for their deliveries are due.
 */
export const startSubmitting = (options: {
  database: Database
  daraja: Daraja
  /** Where Daraja is to call back for a payment. */
  callbackUrlOf: (paymentId: bigint) => string
  concurrency: number
  timeoutMs: number
  reconcileAfterMs: number
  log: Log
  metrics: CoreMetrics
  onSettled: () => void
}): Loop => {
  // Each call may be repeated once after a refused token, and may ask for a token each time.
  const callsMs = options.timeoutMs * 4
  const underWay = new Set<Promise<void>>()
  const records = createRecorder(options)

  const submit = async (payment: DuePayment): Promise<void> => {
    crashPoint('push.before_send')
    const outcome = await pushStk(options.daraja, {
      ...payment,
      callbackUrl: options.callbackUrlOf(payment.paymentId),
    })
    crashPoint('push.after_send')
    options.metrics.pushed(outcome.kind)
    logOutcome(options.log, payment, outcome)
    // The outcome is known to nobody else: it is worth waiting for Postgres, for as long as the lease keeps others away.
    await endureOutage(RECORDING_MS, () => records.add({ paymentId: payment.paymentId, outcome }))
  }

  const start = (payment: DuePayment): void => {
    // A record that fails leaves the payment in `submitting`; when its lease ends it is found and becomes `unconfirmed`.
    const running = submit(payment).catch((error: unknown) =>
      options.log.error({ event: 'push_not_recorded', payment_id: payment.paymentId, err: error }),
    )
    underWay.add(running)
    void running.then(() => {
      underWay.delete(running)
      loop.wake()
    })
  }

  const round = async (): Promise<boolean> => {
    const free = options.concurrency - underWay.size
    if (free <= 0) return false
    const taken = await takeDuePayments({
      database: options.database,
      limit: free,
      leaseMs: callsMs + RECORDING_MS + LEASE_MARGIN_MS,
    })
    for (const found of taken.orphans)
      options.log.warn({ event: 'payment_unconfirmed', payment_id: found, cause: 'submitter_lost' })
    tellSettlements(options, taken.settlements)
    if (taken.settlements.length > 0) options.onSettled()
    for (const payment of taken.toPush) start(payment)
    return taken.found === free && underWay.size < options.concurrency
  }

  const loop = startLoop({ name: 'submit', idleMs: IDLE_MS, round, isOutage, log: options.log })
  const stop = async (): Promise<void> => {
    await loop.stop()
    await Promise.all(underWay)
  }
  return { ...loop, stop }
}

const createRecorder = (options: {
  database: Database
  reconcileAfterMs: number
  log: Log
  metrics: CoreMetrics
  onSettled: () => void
}): Batcher<Pushed, void> =>
  createBatcher({
    maxItems: 200,
    maxRunning: 2,
    maxWaiting: 10_000,
    run: async (pushes) => {
      const settlements = await recordPushes({ ...options, pushes })
      tellSettlements(options, settlements)
      if (settlements.length > 0) options.onSettled()
      return pushes.map(() => undefined)
    },
  })

const logOutcome = (log: Log, payment: DuePayment, outcome: PushOutcome): void => {
  const about = { payment_id: Number(payment.paymentId), msisdn: maskMsisdn(payment.msisdn) }
  switch (outcome.kind) {
    case 'accepted':
      return log.info({ event: 'push_accepted', ...about })
    case 'refused':
      return log.warn({ event: 'push_refused', ...about, code: outcome.code, message: outcome.message })
    case 'later':
      return log.info({
        event: 'push_to_be_repeated',
        ...about,
        code: outcome.code,
        after_ms: outcome.afterMs,
      })
    case 'unknown':
      return log.warn({ event: 'push_outcome_unknown', ...about, reason: outcome.reason })
    default:
      return outcome satisfies never
  }
}
