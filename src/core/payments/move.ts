import { type RawBuilder, sql, type Transaction } from 'kysely'
import { givenRows } from '../../database/given-rows.ts'
import type { PaymentStateName } from '../../database/schema/payments.ts'
import type { RowOf, Schema } from '../../database/schema/schema.ts'
import { ARROWS, type Cause } from './states.ts'

/** One move of one payment along an arrow. */
export type Move = {
  paymentId: bigint
  from: PaymentStateName
  to: PaymentStateName
  cause: Cause
  /** What an operator wants to know beside the cause, such as Daraja's code. */
  detail: string | null
  /** Who moved it by hand; null: the gateway itself. */
  operator: string | null
}

/** A payment to be moved, if it still is where it was seen. */
export type MovedTo = {
  paymentId: bigint
  from: PaymentStateName
  to: PaymentStateName
  cause: Cause
  detail?: string
  /** Daraja's ids, written where none are yet. */
  merchantRequestId?: string | null
  checkoutRequestId?: string
}

/**
 * Where a payment's next event stands: at the transaction's own number, or where the one before it does. That may be
 * further on: of two transactions that have a number already, the one that waits for the other may have the lower one.
 */
export const NEXT_POSITION = sql`
  greatest(payments.event_position, payments.accepted_position, current_event_position())
`

/** Gives a payment that moves its next event. */
const NEXT_EVENT = sql`event_position = ${NEXT_POSITION}, event_number = payments.event_number + 1`

/** The event, for its row in the history. */
export const EVENT = sql`payments.event_position, payments.event_number`

/**
 * Moves payments along arrows that carry no outcome, in one guarded statement with their history (law 4); resolves with
 * the ids that moved. A payment that is not in `from` any more stays where it is. Throws for a move along no arrow. The
 * time of a move is that of the statement and not of the transaction's start, else the history of a payment for whose
 * lock somebody waited would be out of order.
 */
export const movePayments = async (
  transaction: Transaction<Schema>,
  moves: readonly MovedTo[],
): Promise<Set<bigint>> => {
  if (moves.length === 0) return new Set()
  for (const { from, to } of moves) refuseNoArrow(from, to)
  const { rows } = await sql<RowOf<'payments', 'id'>>`
    WITH moved AS (
      UPDATE payments SET
        state = given.state,
        merchant_request_id = coalesce(payments.merchant_request_id, given.merchant_request_id),
        checkout_request_id = coalesce(payments.checkout_request_id, given.checkout_request_id),
        ${NEXT_EVENT}
      FROM ${givenRows(moves, {
        id: ['payments.id', (move) => move.paymentId],
        from_state: ['payments.state', (move) => move.from],
        state: ['payments.state', (move) => move.to],
        merchant_request_id: ['payments.merchant_request_id', (move) => move.merchantRequestId ?? null],
        checkout_request_id: ['payments.checkout_request_id', (move) => move.checkoutRequestId ?? null],
        cause: ['payment_history.cause', (move) => move.cause],
        detail: ['payment_history.detail', (move) => move.detail ?? null],
      })}
      WHERE payments.id = given.id AND payments.state = given.from_state
      RETURNING payments.id, given.from_state, given.state, given.cause, given.detail, ${EVENT}
    ), history AS (
      INSERT INTO payment_history (payment_id, from_state, to_state, cause, detail, at, event_position, event_number)
      SELECT id, from_state, state, cause, detail, clock_timestamp(), event_position, event_number FROM moved
    )
    SELECT id FROM moved
  `.execute(transaction)
  return new Set(rows.map((row) => row.id))
}

/**
 * Parts of a WITH that move all payments of the part `locked`, which has their `id`, one way, with their history
 * (law 4): `moved` are those that did, with the columns of `returning`. For a stage that is one statement. `also` sets
 * other columns. Throws where there is no arrow.
 */
export const movingParts = (options: {
  from: PaymentStateName
  to: PaymentStateName
  cause: Cause
  also?: RawBuilder<unknown>
  returning: RawBuilder<unknown>
}): RawBuilder<unknown> => {
  const { from, to, cause, also = sql``, returning } = options
  refuseNoArrow(from, to)
  return sql`
    moved AS (
      UPDATE payments SET state = ${sql.lit(to)}, ${NEXT_EVENT}${also}
      FROM locked WHERE payments.id = locked.id AND payments.state = ${sql.lit(from)}
      RETURNING payments.id, ${EVENT}, ${returning}
    ), history AS (
      INSERT INTO payment_history (payment_id, from_state, to_state, cause, at, event_position, event_number)
      SELECT id, ${sql.lit(from)}::payment_state, ${sql.lit(to)}::payment_state, ${sql.lit(cause)}, clock_timestamp(),
             event_position, event_number
      FROM moved
    )
  `
}

const refuseNoArrow = (from: PaymentStateName, to: PaymentStateName): void => {
  if (!ARROWS[from].includes(to)) throw new Error(`no arrow from ${from} to ${to}`)
}
