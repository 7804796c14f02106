import { type RawBuilder, sql, type Transaction } from 'kysely'
import type { Schema } from '../../database/schema/schema.ts'
import type { Round, Summed } from './summed.ts'

type To = Pick<Round, 'events_to' | 'filled_to'>

/**
 * Adds what succeeded between `from` and `to`: by its event, or, of what succeeded before the first round, by its id. Raw
 * SQL: two sources in one statement, each with looks by the primary key that no builder keeps apart.
 */
export const addPaid = async (transaction: Transaction<Schema>, from: Summed, to: To): Promise<void> => {
  await sql`
    ${INTO}
    SELECT ${dayOf(KNOWN_AT)}, partner_id, account_id, count(*), sum(amount_kes)
    FROM ((${succeeded(from, to)}) UNION ALL (${succeededBefore(from, to)})) paid
    WHERE partner_id > 0
    GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
    ${ADD}
  `.execute(transaction)
}

/**
 * Moves what is summed by now to the day on which it was paid as is known since. What is not summed yet is added on the day
 * of before, and moved after that: so it does not matter which of the two is seen first.
 */
export const applyRedated = async (transaction: Transaction<Schema>, from: Summed, to: To): Promise<void> => {
  await sql`
    WITH summed AS (
      SELECT payment.*, redated.paid_at AS paid_at_before
      FROM redated_payments redated
      CROSS JOIN LATERAL (
        SELECT id, partner_id, account_id, amount_kes, event_position, ${PAID_AT} AS paid_at
        FROM payments WHERE id = redated.payment_id OFFSET 0
      ) payment
      WHERE CASE WHEN event_position >= ${from.begun_position}::bigint THEN event_position < ${to.events_to}::bigint
        ELSE id < ${to.filled_to}::bigint END
    ), applied AS (
      DELETE FROM redated_payments WHERE payment_id = ANY (ARRAY(SELECT id FROM summed))
    )
    ${INTO}
    SELECT ${dayOf(sql`moved.at`)}, partner_id, account_id, sum(sign), sum(sign * amount_kes)
    FROM summed CROSS JOIN LATERAL (VALUES (-1, paid_at_before), (1, paid_at)) moved (sign, at)
    WHERE partner_id > 0
    GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
    ${ADD}
  `.execute(transaction)
}

/** When the money moved. Each outcome writes it; of a row that has none, when it was asked for. */
const PAID_AT = sql`coalesce(transaction_date, created_at)`

/** As it is in the sums until it is moved. */
const KNOWN_AT = sql`coalesce((SELECT paid_at FROM redated_payments WHERE payment_id = paid.id), paid.at)`

const dayOf = (at: RawBuilder<unknown>): RawBuilder<unknown> =>
  sql`(${at} AT TIME ZONE 'Africa/Nairobi')::date`

const INTO = sql`INSERT INTO daily_totals (day, partner_id, account_id, payments, amount_kes)`

const ADD = sql`
  ON CONFLICT (day, partner_id, account_id) DO UPDATE SET
    payments = daily_totals.payments + excluded.payments, amount_kes = daily_totals.amount_kes + excluded.amount_kes
`

const succeeded = (from: Summed, to: To): RawBuilder<unknown> => sql`
  SELECT payment.id, partner_id, account_id, amount_kes, payment.at
  FROM payment_history moves
  CROSS JOIN LATERAL (
    SELECT id, partner_id, account_id, amount_kes, ${PAID_AT} AS at FROM payments WHERE id = moves.payment_id OFFSET 0
  ) payment
  WHERE moves.event_position >= ${from.events_to}::bigint AND moves.event_position < ${to.events_to}::bigint
    AND moves.to_state = 'successful'
`

/**
 * Also those that succeeded before there were events. OFFSET 0 keeps whose they are out of it: else Postgres takes the index
 * on (partner_id, id), and reads all of it.
 */
const succeededBefore = (from: Summed, to: To): RawBuilder<unknown> => sql`
  SELECT id, partner_id, account_id, amount_kes, ${PAID_AT} AS at
  FROM payments
  WHERE id >= ${from.filled_to}::bigint AND id < ${to.filled_to}::bigint AND state = 'successful'
    AND (event_position IS NULL OR event_position < ${from.begun_position}::bigint)
  OFFSET 0
`
