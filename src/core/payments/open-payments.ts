import { sql } from 'kysely'
import type { Database } from '../../database/connect.ts'
import { type PaymentRow, paymentColumns } from './find.ts'

/**
 * The ids of open payments: every one of them has a duty, to be submitted, queried or confirmed, so no index on the state is
 * needed. Ids of paid payments whose receipt is looked for are among them.
 */
const idsWithDuties = sql`
  SELECT payment_id AS id FROM to_submit UNION SELECT payment_id FROM to_query UNION SELECT payment_id FROM to_confirm
`

const isOpen = sql`payments.state IN ('accepted', 'submitting', 'submitted', 'unconfirmed')`

const isOlderThan = (ageMs: number) =>
  sql`payments.created_at < now() - make_interval(secs => ${ageMs / 1000})`

/** At most `limit` open payments that are at least `ageMs` old, oldest first. */
export const listOpenPayments = async (options: {
  database: Database
  ageMs: number
  limit: number
}): Promise<PaymentRow[]> => {
  const { rows } = await sql<PaymentRow>`
    SELECT ${paymentColumns} FROM payments JOIN (${idsWithDuties}) duties USING (id)
    WHERE ${isOpen} AND ${isOlderThan(options.ageMs)} ORDER BY payments.id LIMIT ${options.limit}
  `.execute(options.database)
  return rows
}

/** How many open payments are at least `ageMs` old. */
export const countOverduePayments = async (database: Database, ageMs: number): Promise<number> => {
  const { rows } = await sql<{ count: bigint }>`
    SELECT count(*) FROM payments JOIN (${idsWithDuties}) duties USING (id) WHERE ${isOpen} AND ${isOlderThan(ageMs)}
  `.execute(database)
  return Number(rows[0]?.count ?? 0)
}
