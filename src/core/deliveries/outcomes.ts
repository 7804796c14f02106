import { type RawBuilder, sql } from 'kysely'
import type { Database } from '../../database/connect.ts'
import { planBySize } from '../../database/plan-by-size.ts'
import type { Outcome } from '../../database/schema/payments.ts'
import { isTestId } from '../../values/test-partner.ts'
import { matching } from './filter.ts'

/** How the latest outcome of a payment may stand that did not arrive; `undelivered`: any of them. */
export const UNDELIVERED_STATES = ['undelivered', 'pending', 'held', 'dead', 'cancelled'] as const

export type UndeliveredState = (typeof UNDELIVERED_STATES)[number]

/**
 * Which outcomes of a partner that did not arrive: those that fit every field that is not null. From an instant on is
 * that instant too, up to one is not.
 */
export type OutcomeFilter = {
  partnerId: bigint
  delivery: UndeliveredState
  /** How the payment ended. */
  state: Outcome | null
  reference: string | null
  /** When the payment was requested. */
  createdFrom: Date | null
  createdTo: Date | null
  /** When its outcome became known. */
  outcomeFrom: Date | null
  outcomeTo: Date | null
}

/** At most `limit` deliveries of outcomes that fit, with ids above `after`, oldest first. */
export const findOutcomeIds = async (options: {
  database: Database
  filter: OutcomeFilter
  after: bigint
  limit: number
}): Promise<bigint[]> => {
  const statement = sql<{ id: bigint }>`
    SELECT id FROM (${fitting(options.filter)}) outcomes
    WHERE id > ${options.after} ORDER BY id LIMIT ${options.limit}
  `
  const { rows } = await planBySize(options.database, (transaction) => statement.execute(transaction))
  return rows.map(({ id }) => id)
}

/** How many outcomes fit, counted no further than `atMost`. */
export const countOutcomes = async (
  database: Database,
  filter: OutcomeFilter,
  atMost: number,
): Promise<number> => {
  const statement = sql<{ count: number }>`
    SELECT count(*)::int AS count FROM (SELECT id FROM (${fitting(filter)}) outcomes LIMIT ${atMost}) counted
  `
  const { rows } = await planBySize(database, (transaction) => statement.execute(transaction))
  return rows[0]?.count ?? 0
}

/**
 * The ids of the deliveries whose outcomes fit, in no order. What did not arrive is in small tables of its own, so the
 * history is never looked through. An outcome after which another came, a success after a failure, is not the payment's
 * any more, whatever became of its delivery.
 */
const fitting = (filter: OutcomeFilter): RawBuilder<unknown> => {
  const deliveries = matching({
    partnerId: filter.partnerId,
    isTest: isTestId(filter.partnerId),
    host: null,
    state: filter.delivery,
    errorClass: null,
    createdSince: filter.outcomeFrom,
    createdUntil: filter.outcomeTo,
  })
  const conditions = [
    sql`payments.id = delivery.payment_id`,
    filter.state && sql`state = ${filter.state}`,
    filter.reference && sql`reference = ${filter.reference}`,
    filter.createdFrom && sql`created_at >= ${filter.createdFrom}`,
    filter.createdTo && sql`created_at < ${filter.createdTo}`,
  ].filter((condition) => condition !== null && condition !== '')
  return sql`
    SELECT missed.id FROM (${deliveries}) missed
    CROSS JOIN LATERAL (SELECT payment_id FROM deliveries WHERE id = missed.id OFFSET 0) delivery
    CROSS JOIN LATERAL (SELECT id FROM payments WHERE ${sql.join(conditions, sql` AND `)} OFFSET 0) payment
    WHERE NOT EXISTS (
      SELECT FROM deliveries later WHERE later.payment_id = delivery.payment_id AND later.id > missed.id
    )
  `
}
