import { sql, type Transaction } from 'kysely'
import { givenRowsInOrder } from '../../database/given-rows.ts'
import type { PaymentStateName } from '../../database/schema/payments.ts'
import type { Schema } from '../../database/schema/schema.ts'
import type { Cause } from './states.ts'

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

/**
 * Writes a row into the history for each move, in the transaction that moves the payments (law 4), in the order given.
 * Their time is that of the moves, while the payments are locked, and not that of the transaction's start: else the
 * history of a payment for whose lock somebody waited would be out of order.
 */
export const recordMoves = async (
  transaction: Transaction<Schema>,
  moves: readonly Move[],
): Promise<void> => {
  if (moves.length === 0) return
  await sql`
    INSERT INTO payment_history (payment_id, from_state, to_state, cause, detail, operator, at)
    SELECT payment_id, from_state, to_state, cause, detail, operator, clock_timestamp() + position * interval '1 microsecond'
    FROM ${givenRowsInOrder(moves, {
      payment_id: ['payment_history.payment_id', (move) => move.paymentId],
      from_state: ['payment_history.from_state', (move) => move.from],
      to_state: ['payment_history.to_state', (move) => move.to],
      cause: ['payment_history.cause', (move) => move.cause],
      detail: ['payment_history.detail', (move) => move.detail],
      operator: ['payment_history.operator', (move) => move.operator],
    })}
    ORDER BY position
  `.execute(transaction)
}
