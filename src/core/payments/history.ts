import { sql, type Transaction } from 'kysely'
import type { PaymentStateName } from '../../database/schema/payments.ts'
import type { Schema } from '../../database/schema/schema.ts'
import type { Cause } from './payment.ts'

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
 * Writes a row into the history for each move, in the transaction that moves the payments (law 4), in the order given. Their
 * time is that of the moves, while the payments are locked, and not that of the transaction's start: else the history of a
 * payment for whose lock somebody waited would be out of order.
 */
export const recordMoves = async (
  transaction: Transaction<Schema>,
  moves: readonly Move[],
): Promise<void> => {
  if (moves.length === 0) return
  await sql`
    INSERT INTO payment_history (payment_id, from_state, to_state, cause, detail, operator, at)
    SELECT payment_id, from_state, to_state, cause, detail, operator, clock_timestamp() + position * interval '1 microsecond'
    FROM unnest(
      ${moves.map((move) => move.paymentId)}::bigint[],
      ${moves.map((move) => move.from)}::payment_state[],
      ${moves.map((move) => move.to)}::payment_state[],
      ${moves.map((move) => move.cause)}::text[],
      ${moves.map((move) => move.detail)}::text[],
      ${moves.map((move) => move.operator)}::text[]
    ) WITH ORDINALITY AS given (payment_id, from_state, to_state, cause, detail, operator, position)
    ORDER BY position
  `.execute(transaction)
}
