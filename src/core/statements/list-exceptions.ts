import { type RawBuilder, sql, type Transaction } from 'kysely'
import type { RowOf, Schema } from '../../database/schema/schema.ts'
import type { ExceptionKind } from './exceptions.ts'
import { isPaidBefore, isPaidElsewhere, isSettled } from './is-settled.ts'

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
  /** The receipt of its payment. */
  paid_by: string | null
  partner_id: bigint | null
  /** The payment that its receipt proves. */
  proven_id: bigint | null
  /** Its payment asked to be paid to another paybill or till than its receipt was. */
  is_paid_elsewhere: boolean
  /** Its payment was asked for after its receipt was paid. */
  is_paid_before: boolean
}

/** Which ones; null: whatever it is. */
export type ExceptionFilter = {
  statementId: bigint | null
  kind: ExceptionKind | null
  openOnly: boolean
}

/** Exceptions that one look comes past at most, the newest first. */
const MOST_LOOKED_AT = 5_000

/**
 * At most `limit` of what does not fit, with an id below `before`, the newest first, by one look that comes past so many at
 * most. `lookedTo`: the id below which was not looked, though fewer than `limit` were found; null: these are all there are,
 * or the page is full. The transaction sees one state of the database.
 */
export const lookForExceptions = async (
  transaction: Transaction<Schema>,
  page: ExceptionFilter & { before: bigint; limit: number; most?: number },
): Promise<{ exceptions: ExceptionRow[]; lookedTo: bigint | null }> => {
  const { limit, most = MOST_LOOKED_AT } = page
  const { within, order } = orderOf(page)
  const { rows } = await sql<ExceptionRow>`
    SELECT listed.id, listed.statement_id, listed.kind, listed.receipt,
      coalesce(listed.other_receipt, given_back.other_receipt) AS other_receipt, holder.payment_id, listed.paid_cents,
      coalesce(listed.other_cents, given_back.paid_cents) AS other_cents, listed.completed_at, listed.reference, listed.acknowledged_at,
      listed.acknowledged_by, listed.note, listed.exception_state, payments.state, payments.amount_kes,
      payments.receipt AS paid_by, payments.partner_id, proven.payment_id AS proven_id,
      ${isPaidElsewhere} AS is_paid_elsewhere, coalesce(${isPaidBefore}, false) AS is_paid_before
    FROM (
      SELECT listed.*,
        CASE WHEN acknowledged_at IS NOT NULL THEN 'acknowledged' WHEN ${isSettled} THEN 'settled' ELSE 'open' END
          AS exception_state
      FROM (
        SELECT id, statement_id, kind, receipt, other_receipt, payment_id, paid_cents, other_cents, completed_at,
          reference, acknowledged_at, acknowledged_by, note
        FROM statement_exceptions WHERE ${within} ORDER BY ${order} LIMIT ${most}
      ) listed
      WHERE ${fits(page)} ORDER BY ${aboveOf(page)} LIMIT ${limit}
    ) listed
    LEFT JOIN LATERAL (
      SELECT other_receipt, paid_cents FROM statement_exceptions
      WHERE listed.kind IN ('paid_there', 'receipt_there', 'unknown_here') AND statement_exceptions.kind = 'reversed'
        AND coalesce(receipt, '') = listed.receipt
      LIMIT 1
    ) given_back ON true
    CROSS JOIN LATERAL (
      SELECT (SELECT payment_id FROM receipts WHERE receipts.receipt = listed.receipt) AS payment_id OFFSET 0
    ) proven
    CROSS JOIN LATERAL (SELECT coalesce(listed.payment_id, proven.payment_id) AS payment_id OFFSET 0) holder
    LEFT JOIN LATERAL (
      SELECT state, amount_kes, receipt, partner_id, account_id, created_at, transaction_date FROM payments WHERE payments.id = holder.payment_id OFFSET 0
    ) payments ON true
    ORDER BY listed.id DESC
  `.execute(transaction)
  if (rows.length === limit) return { exceptions: rows, lookedTo: null }
  const { rows: ends } = await sql<RowOf<'statement_exceptions', 'id'>>`
    SELECT id FROM statement_exceptions WHERE ${within} ORDER BY ${order} OFFSET ${most - 1} LIMIT 1
  `.execute(transaction)
  return { exceptions: rows, lookedTo: ends[0]?.id ?? null }
}

/**
 * What an index leads to, and its order. A statement is compared with together with what comes after it in the index, and
 * not by `=`: else the index on the id alone would do for that order, and the exceptions of later statements be passed over.
 */
const orderOf = ({
  before,
  statementId,
  kind,
  openOnly,
}: ExceptionFilter & { before: bigint }): { within: RawBuilder<unknown>; order: RawBuilder<unknown> } => {
  if (statementId === null)
    return {
      within: openOnly ? sql`id < ${before} AND acknowledged_at IS NULL` : sql`id < ${before}`,
      order: sql`id DESC`,
    }
  if (kind === null || !openOnly)
    return {
      within: sql`statement_id >= ${statementId} AND (statement_id, id) < (${statementId}, ${before})`,
      order: sql`statement_id DESC, id DESC`,
    }
  return {
    within: sql`
      (statement_id, kind) >= (${statementId}, ${kind}) AND (statement_id, kind, id) < (${statementId}, ${kind}, ${before})
      AND acknowledged_at IS NULL
    `,
    order: sql`statement_id DESC, kind DESC, id DESC`,
  }
}

/** The same order above the look, so that no more of it is judged than the page takes. */
const aboveOf = ({ statementId, kind, openOnly }: ExceptionFilter): RawBuilder<unknown> => {
  if (statementId === null) return sql`listed.id DESC`
  return kind === null || !openOnly
    ? sql`listed.statement_id DESC, listed.id DESC`
    : sql`listed.statement_id DESC, listed.kind DESC, listed.id DESC`
}

const fits = ({ kind, openOnly }: ExceptionFilter): RawBuilder<unknown> => {
  const conditions = [
    kind !== null && sql`listed.kind = ${kind}`,
    openOnly && sql`listed.acknowledged_at IS NULL AND NOT ${isSettled}`,
  ].filter((condition) => condition !== false)
  return conditions.length === 0 ? sql`true` : sql.join(conditions, sql` AND `)
}
