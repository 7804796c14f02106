import { type RawBuilder, sql } from 'kysely'
import type { Database } from '../../database/connect.ts'
import type { PaymentStateName } from '../../database/schema/payments.ts'
import { type PaymentRow, paymentColumns } from '../payments/find.ts'
import { BEGINNING, compareKeys, type EventKey, isBeginning } from './cursor.ts'

/** One change of a payment's state. */
export type PaymentEvent = {
  key: EventKey
  /** Null: it was accepted. */
  from: PaymentStateName | null
  to: PaymentStateName
  at: Date
  /** The payment as it was when the event was read. */
  payment: PaymentRow
}

// Events are the moves in `payment_history`, and of `payments` that each was accepted. They are read below the horizon
// only: the lowest position that a transaction which has not ended yet could still give to an event. Nothing is ever
// inserted below it, so whoever has read up to an event has read all that stand before it.

type EventRow = {
  event_position: bigint
  payment_id: bigint
  event_number: number
  from_state: PaymentStateName | null
  to_state: PaymentStateName
  at: Date
}

/**
 * At most `limit` events behind `after`, in their order. Raw SQL, for the builder cannot say that two indexes are read
 * in one order, each no further than the page needs.
 */
export const readEvents = async (
  database: Database,
  { after, limit }: { after: EventKey; limit: number },
): Promise<PaymentEvent[]> => {
  const page = sql`LIMIT ${limit}`
  const { rows } = await selectEvents(
    sql`event_position >= ${after.position}::bigint AND ${isBehind(after)}`,
    sql`accepted_position >= ${after.position}::bigint AND ${isAcceptedBehind(after)}`,
    page,
  ).execute(database)
  return rows.map(toEvent)
}

/** All events of one payment that stand behind `after` and not behind `last`. */
export const readEventsOfPayment = async (
  database: Database,
  { paymentId, after, last }: { paymentId: bigint; after: EventKey; last: EventKey },
): Promise<PaymentEvent[]> => {
  const { rows } = await selectEvents(
    sql`payment_id = ${paymentId}::bigint AND ${isBehind(after)}`,
    sql`id = ${paymentId}::bigint AND ${isAcceptedBehind(after)}`,
    sql``,
  ).execute(database)
  return rows.map(toEvent).filter(({ key }) => compareKeys(key, last) <= 0)
}

const isBehind = ({ position, paymentId, number }: EventKey) =>
  sql`(event_position, payment_id, event_number) > (${position}::bigint, ${paymentId}::bigint, ${number}::integer)`

const isAcceptedBehind = ({ position, paymentId, number }: EventKey) =>
  sql`(accepted_position, id, 1) > (${position}::bigint, ${paymentId}::bigint, ${number}::integer)`

const selectEvents = (moves: RawBuilder<unknown>, accepted: RawBuilder<unknown>, page: RawBuilder<unknown>) =>
  sql<EventRow & PaymentRow>`
    SELECT events.*, ${paymentColumns}
    FROM (
      SELECT * FROM (
        (
          SELECT event_position, payment_id, event_number, from_state, to_state, at
          FROM payment_history WHERE ${moves} AND event_position < event_horizon()
          ORDER BY event_position, payment_id, event_number ${page}
        ) UNION ALL (
          SELECT accepted_position, id, 1, NULL::payment_state, 'accepted'::payment_state, created_at
          FROM payments WHERE ${accepted} AND accepted_position < event_horizon()
          ORDER BY accepted_position, id ${page}
        )
      ) both_kinds ORDER BY event_position, payment_id, event_number ${page}
    ) events JOIN payments ON payments.id = events.payment_id
    ORDER BY events.event_position, events.payment_id, events.event_number
  `

const toEvent = (row: EventRow & PaymentRow): PaymentEvent => ({
  key: toKey(row),
  from: row.from_state,
  to: row.to_state,
  at: row.at,
  payment: row,
})

type KeyRow = Pick<EventRow, 'event_position' | 'payment_id' | 'event_number'>

const toKey = (row: KeyRow): EventKey => ({
  position: row.event_position,
  paymentId: row.payment_id,
  number: row.event_number,
})

/** The newest event that can be read; the beginning where there is none. */
export const readNewestKey = async (database: Database): Promise<EventKey> => {
  const { rows } = await sql<KeyRow>`
    (
      SELECT event_position, payment_id, event_number FROM payment_history
      WHERE event_position < event_horizon()
      ORDER BY event_position DESC, payment_id DESC, event_number DESC LIMIT 1
    ) UNION ALL (
      SELECT accepted_position, id, 1 FROM payments WHERE accepted_position < event_horizon()
      ORDER BY accepted_position DESC, id DESC LIMIT 1
    )
    ORDER BY event_position DESC, payment_id DESC, event_number DESC LIMIT 1
  `.execute(database)
  return rows[0] === undefined ? BEGINNING : toKey(rows[0])
}

/**
 * True when the database has the event, where it is the beginning too. False: it is older than what is kept, or the
 * database was put back to a copy from before it.
 */
export const hasEvent = async (database: Database, key: EventKey): Promise<boolean> => {
  if (isBeginning(key)) return true
  const { position, paymentId, number } = key
  const { rows } = await sql`
    SELECT FROM payment_history
    WHERE payment_id = ${paymentId} AND event_number = ${number} AND event_position = ${position}
      AND event_position < event_horizon()
    UNION ALL
    SELECT FROM payments
    WHERE id = ${paymentId} AND ${number}::integer = 1 AND accepted_position = ${position}
      AND accepted_position < event_horizon()
  `.execute(database)
  return rows.length > 0
}

/** The text of the first of the `epochs`, which names the gateway whose database it is. */
export const readFirstEpoch = async (database: Database): Promise<string> => {
  const { token } = await database
    .selectFrom('epochs')
    .select('token')
    .where('number', '=', 1)
    .executeTakeFirstOrThrow()
  return token
}
