import { type RawBuilder, sql } from 'kysely'
import type { Database } from '../../database/connect.ts'
import type { RowOf } from '../../database/schema/schema.ts'
import type { ExceptionKind } from './exceptions.ts'

/** `open`: nobody has seen to it; `settled`: what it says is no longer so; `acknowledged`: a person has said what it is. */
export type ExceptionState = 'open' | 'settled' | 'acknowledged'

export type ExceptionRow = RowOf<
  'statement_exceptions',
  | 'id'
  | 'statement_id'
  | 'receipt'
  | 'other_receipt'
  | 'payment_id'
  | 'paid_cents'
  | 'other_cents'
  | 'completed_at'
  | 'reference'
  | 'acknowledged_at'
  | 'acknowledged_by'
  | 'note'
> & {
  kind: ExceptionKind
  exception_state: ExceptionState
  state: RowOf<'payments', 'state'>['state'] | null
  amount_kes: number | null
  partner_id: bigint | null
}

/** Which ones; null: whatever it is. */
export type ExceptionFilter = {
  statementId: bigint | null
  kind: ExceptionKind | null
  openOnly: boolean
}

/**
 * What it says is no longer so: the receipt proves a payment here by now, or stands in a statement by now. Derived, so
 * that whatever mends it ends it.
 */
const isSettled = sql<boolean>`CASE kind
  WHEN 'paid_there' THEN EXISTS (
    SELECT FROM receipts WHERE receipts.receipt = listed.receipt AND receipts.payment_id = listed.payment_id
  )
  WHEN 'unknown_here' THEN EXISTS (SELECT FROM receipts WHERE receipts.receipt = listed.receipt)
  WHEN 'missing_there' THEN EXISTS (SELECT FROM statement_lines WHERE statement_lines.receipt = listed.receipt)
  ELSE false END`

/** At most `limit` of what does not fit, with an id below `before`, the newest first. */
export const listExceptions = async (
  database: Database,
  page: ExceptionFilter & { before: bigint; limit: number },
): Promise<ExceptionRow[]> => {
  const { rows } = await sql<ExceptionRow>`
    SELECT listed.id, listed.statement_id, listed.kind, listed.receipt, listed.other_receipt, listed.payment_id,
      listed.paid_cents, listed.other_cents, listed.completed_at, listed.reference, listed.acknowledged_at,
      listed.acknowledged_by, listed.note, listed.exception_state, payments.state, payments.amount_kes,
      payments.partner_id
    FROM (
      SELECT listed.id, statement_id, kind, receipt, other_receipt, payment_id, paid_cents, other_cents, completed_at,
        reference, acknowledged_at, acknowledged_by, note,
        CASE WHEN acknowledged_at IS NOT NULL THEN 'acknowledged' WHEN ${isSettled} THEN 'settled' ELSE 'open' END
          AS exception_state
      FROM statement_exceptions listed
      WHERE listed.id < ${page.before} AND ${fits(page)}
      ORDER BY listed.id DESC LIMIT ${page.limit}
    ) listed
    LEFT JOIN LATERAL (
      SELECT state, amount_kes, partner_id FROM payments WHERE payments.id = listed.payment_id OFFSET 0
    ) payments ON true
    ORDER BY listed.id DESC
  `.execute(database)
  return rows
}

const fits = ({ statementId, kind, openOnly }: ExceptionFilter): RawBuilder<unknown> => {
  const conditions = [
    statementId !== null && sql`statement_id = ${statementId}`,
    kind !== null && sql`kind = ${kind}`,
    openOnly && sql`acknowledged_at IS NULL AND NOT ${isSettled}`,
  ].filter((condition) => condition !== false)
  return conditions.length === 0 ? sql`true` : sql.join(conditions, sql` AND `)
}

/** How many of each kind a statement has, and how many of them are open. */
export type ExceptionCount = { kind: ExceptionKind; exceptions: number; open: number }

export const countExceptions = async (database: Database, statementId: bigint): Promise<ExceptionCount[]> => {
  const { rows } = await sql<ExceptionCount>`
    SELECT kind, count(*)::integer AS exceptions,
      (count(*) FILTER (WHERE acknowledged_at IS NULL AND NOT ${isSettled}))::integer AS open
    FROM statement_exceptions listed WHERE statement_id = ${statementId} GROUP BY kind ORDER BY kind
  `.execute(database)
  return rows
}
