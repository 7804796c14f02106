import { type RawBuilder, sql } from 'kysely'
import type { Database } from '../../database/connect.ts'
import type { PaymentStateName } from '../../database/schema/payments.ts'
import { type Owner, type PaymentRow, paymentColumns } from './find.ts'

/**
 * Like `listPayments`, but only payments whose outcome their partner has not got: its delivery is still to be made, held, dead
 * or cancelled. All of these are in small tables of their own, so what it costs grows with what is missed, not with history:
 * OFFSET 0 keeps the planner from reading payments in order until enough of them have turned up.
 */
export const listUndeliveredPayments = async (options: {
  database: Database
  owner: Owner
  limit: number
  before: bigint | null
  state: PaymentStateName | null
}): Promise<PaymentRow[]> => {
  const { owner, before, state } = options
  const owned = owner === 'anybody' ? sql`` : sql`WHERE partner_id = ${owner.partnerId}`
  const { rows } = await sql<PaymentRow>`
    WITH missed AS MATERIALIZED (
      SELECT DISTINCT payment_id
      FROM (
        SELECT delivery_id FROM to_deliver ${owned} UNION ALL SELECT delivery_id FROM dead_letters ${owned}
      ) few
      CROSS JOIN LATERAL (SELECT payment_id FROM deliveries WHERE id = few.delivery_id OFFSET 0) told
      ${before === null ? sql`` : sql`WHERE payment_id < ${before}`}
    )
    SELECT ${paymentColumns}
    FROM (SELECT payment_id FROM missed ORDER BY payment_id DESC) newest
    CROSS JOIN LATERAL (SELECT ${paymentColumns} FROM payments WHERE id = newest.payment_id ${stateIs(state)} OFFSET 0) payments
    ORDER BY newest.payment_id DESC LIMIT ${options.limit}
  `.execute(options.database)
  return rows
}

const stateIs = (state: PaymentStateName | null): RawBuilder<unknown> =>
  state === null ? sql`` : sql`AND state = ${state}`
