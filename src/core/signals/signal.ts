import { sql, type Transaction } from 'kysely'
import type { Database } from '../../database/connect.ts'
import { isOutage } from '../../database/outage.ts'
import type { Schema } from '../../database/schema/schema.ts'
import { crashPoint } from '../../runtime/crash-point.ts'
import type { Log } from '../../runtime/log.ts'
import { type Loop, startLoop } from '../../runtime/loop.ts'
import { endpointHost } from '../../values/endpoint.ts'
import { OPERATORS_ID } from '../../values/test-partner.ts'
import { countOverduePayments } from '../payments/find.ts'
import {
  followConditions,
  type Patience,
  takeBack,
  takeCaughtUp,
  takeDarajaBack,
  takeDown,
  takeHoldingOff,
  takeOverdue,
} from './conditions.ts'
import { renderSignal, type Signal, type SignalType } from './render-signal.ts'
import { takeDead, takeFindings } from './take-news.ts'

// Signals wake operators. What there is to tell is read from committed state, never kept in a process: so it is told
// once, whichever process saw it happen and died. A signal is a delivery like every other, under the id that no partner
// has: the dispatcher signs it, attempts it, holds it while its endpoint is down, and repeats it under its `webhook-id`.
//
// However much happens, there is one signal of a type a minute at most, which counts what it does not list.

export type SignalPace = Patience & {
  /** How often all replicas together look, ms. */
  lookMs: number
  /** The pause between two signals of one type, ms. */
  gapMs: number
}

const PACE: SignalPace = { lookMs: 10_000, gapMs: 60_000, raiseAfterMs: 30_000, clearAfterMs: 60_000 }

/** How often each replica looks whether it is its turn, ms. */
const IDLE_MS = 5_000

export type SignalOptions = {
  database: Database
  /** Where signals are POSTed; null: nowhere. */
  url: string | null
  /** After how long an open payment is overdue, ms. */
  overdueAfterMs: number
  pace?: Partial<SignalPace> | undefined
}

/** Writes signals into the outbox as there is something to tell; null where there is nobody to be told. */
export const startSignalling = (
  options: SignalOptions & {
    /** Called after a signal was committed. */
    onDeliveriesDue: () => void
    log: Log
  },
): Loop[] => {
  const { database, url, overdueAfterMs, onDeliveriesDue, log, pace } = options
  if (url === null) return []
  const round = async (): Promise<boolean> => {
    const told = await signalOnce({ database, url, overdueAfterMs, pace })
    for (const { signal, deliveryId } of told)
      log.info({ event: 'signal_written', type: signal.type, delivery_id: Number(deliveryId) })
    if (told.length > 0) onDeliveriesDue()
    return false
  }
  return [
    startLoop({
      name: 'signal',
      idleMs: Math.min(options.pace?.lookMs ?? IDLE_MS, IDLE_MS),
      round,
      isOutage,
      log,
    }),
  ]
}

type ToldSignal = { signal: Signal; deliveryId: bigint }

/**
 * Looks once, unless another replica looks or has just looked, and writes what there is to tell: with what says that it
 * was told, in one transaction.
 */
export const signalOnce = async (options: SignalOptions & { url: string }): Promise<ToldSignal[]> => {
  const { database, overdueAfterMs } = options
  const pace = { ...PACE, ...options.pace }
  const told = await database.transaction().execute(async (transaction) => {
    const at = await takeTurn(transaction, pace.lookMs)
    if (at === null) return []
    const overdue = await countOverduePayments(transaction, overdueAfterMs)
    await followConditions(transaction, { clearAfterMs: pace.clearAfterMs, overdue })
    const takes = takesOf({ overdue, afterMs: overdueAfterMs })
    const written: ToldSignal[] = []
    for (const type of await typesDue(transaction, pace.gapMs)) {
      const signal = await takes[type](transaction, pace)
      if (signal === null) continue
      const deliveryId = await write(transaction, { url: options.url, signal, at })
      written.push({ signal, deliveryId })
    }
    crashPoint('signal.before_commit', written.length)
    return written
  })
  crashPoint('signal.after_commit', told.length)
  return told
}

type Take = (transaction: Transaction<Schema>, patience: Patience) => Promise<Signal | null>

const takesOf = (overdue: { overdue: number; afterMs: number }): Record<SignalType, Take> => ({
  'delivery.dead': takeDead,
  'payment.finding': takeFindings,
  'endpoint.down': takeDown,
  'endpoint.back': takeBack,
  'payments.overdue': takeOverdue(overdue),
  'payments.caught_up': takeCaughtUp,
  'daraja.holding_off': takeHoldingOff,
  'daraja.back': takeDarajaBack,
})

export const SIGNAL_TYPES: readonly SignalType[] = [
  'delivery.dead',
  'payment.finding',
  'endpoint.down',
  'endpoint.back',
  'payments.overdue',
  'payments.caught_up',
  'daraja.holding_off',
  'daraja.back',
]

/** The row of all replicas' looks: whoever has its lock looks, and the others do not wait. */
const LOOK = 'look'

/** When this look is, by the database's clock; null: it is not this replica's turn. */
const takeTurn = async (transaction: Transaction<Schema>, lookMs: number): Promise<Date | null> => {
  const { rows } = await sql<{ now: Date }>`
    SELECT now() AS now FROM signal_pace WHERE name = ${LOOK} AND at <= now() - make_interval(secs => ${lookMs / 1000})
    FOR UPDATE SKIP LOCKED
  `.execute(transaction)
  const [row] = rows
  if (row === undefined) return null
  await pass(transaction, LOOK)
  return row.now
}

const pass = (transaction: Transaction<Schema>, name: string) =>
  transaction
    .insertInto('signal_pace')
    .values({ name, at: sql<Date>`now()` })
    .onConflict((conflict) => conflict.column('name').doUpdateSet({ at: sql<Date>`now()` }))
    .execute()

/** The types of which there was no signal for so long. */
const typesDue = async (transaction: Transaction<Schema>, gapMs: number): Promise<SignalType[]> => {
  const rows = await transaction
    .selectFrom('signal_pace')
    .select('name')
    .where('at', '>', sql<Date>`now() - make_interval(secs => ${gapMs / 1000})`)
    .execute()
  const recent = new Set(rows.map(({ name }) => name))
  return SIGNAL_TYPES.filter((type) => !recent.has(type))
}

/**
 * Writes a signal as a delivery to the operators' own endpoint, and that there was one of its type. Where the URL leads
 * stands there without its path, which can be a secret; the dispatcher has the whole of it from its settings.
 */
const write = async (
  transaction: Transaction<Schema>,
  { url, signal, at }: { url: string; signal: Signal; at: Date },
): Promise<bigint> => {
  const { rows } = await sql<{ delivery_id: bigint }>`
    WITH added AS (
      INSERT INTO deliveries (id, payment_id, partner_id, webhook_id, callback_url, host, body)
      SELECT id, 0, ${OPERATORS_ID}::bigint, concat('msg_signal_', id), ${new URL('/', url).href}::text, ${endpointHost(url)}::text,
             ${renderSignal(signal, at)}::text
      FROM nextval('deliveries_id_seq') id
      RETURNING id, partner_id, host
    )
    INSERT INTO to_deliver (delivery_id, partner_id, host) SELECT id, partner_id, host FROM added
    RETURNING delivery_id
  `.execute(transaction)
  await pass(transaction, signal.type)
  const [row] = rows
  if (row === undefined) throw new Error('a signal was inserted and none came back')
  return row.delivery_id
}
