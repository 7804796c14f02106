import { sql } from 'kysely'
import type { Database } from '../../database/connect.ts'
import type { RowOf } from '../../database/schema/schema.ts'
import { type ExceptionKind, isExceptionKind } from './exceptions.ts'
import { isSettled } from './is-settled.ts'

/** How many of each kind a statement has, and how many of them are open: that many or more, where `open_or_more`. */
export type ExceptionCount = { kind: ExceptionKind; exceptions: number; open: number; open_or_more: boolean }

/** What is known of a statement since it was imported; null of one that a process of 0.5.0 imported. */
type Counted = RowOf<'statements', 'id' | 'matched_lines' | 'exception_counts'>

/**
 * Counts what the import of a statement found, when it ends: nothing of it grows afterwards. `storedLines`: how many lines
 * it was the first to bring.
 */
export const noteFound = async (
  database: Database,
  statementId: bigint,
  storedLines: number,
): Promise<void> => {
  await sql`
    UPDATE statements SET
      matched_lines = ${storedLines}::integer - (
        SELECT count(*) FROM statement_lines WHERE statement_id = ${statementId} AND payment_id IS NULL
      ),
      exception_counts = (
        SELECT coalesce(jsonb_object_agg(kind, count), '{}')
        FROM (
          SELECT kind, count(*) FROM statement_exceptions WHERE statement_id = ${statementId} GROUP BY kind
        ) kinds
      )
    WHERE id = ${statementId}
  `.execute(database)
}

/** How many lines that a statement was the first to bring are of a payment here. */
export const countMatched = async (database: Database, statement: Counted): Promise<number> => {
  if (statement.matched_lines !== null) return statement.matched_lines
  const { rows } = await sql<{ matched: number }>`
    SELECT count(*)::integer AS matched FROM statement_lines
    WHERE statement_id = ${statement.id} AND payment_id IS NOT NULL
  `.execute(database)
  return rows[0]?.matched ?? 0
}

/**
 * Exceptions of a kind that are looked at at most to say how many are open: whether one is, what it says must be held against
 * receipts and other statements.
 */
const MOST_LOOKED_AT = 1_000

export const countExceptions = async (
  database: Database,
  statement: Counted,
  most = MOST_LOOKED_AT,
): Promise<ExceptionCount[]> => {
  const counts = statement.exception_counts ?? (await countOfKinds(database, statement.id))
  const kinds = Object.keys(counts).filter(isExceptionKind).toSorted()
  const { rows } = await sql<Omit<ExceptionCount, 'exceptions'>>`
    SELECT kinds.kind, newest.open, newest.open_or_more
    FROM unnest(${kinds}::text[]) AS kinds (kind)
    CROSS JOIN LATERAL (
      SELECT (count(*) FILTER (WHERE NOT ${isSettled}))::integer AS open, count(*) = ${most} AS open_or_more
      FROM (
        SELECT kind, receipt, other_receipt, payment_id, paid_cents, completed_at FROM statement_exceptions
        WHERE statement_id = ${statement.id} AND statement_exceptions.kind = kinds.kind AND acknowledged_at IS NULL
        ORDER BY id DESC LIMIT ${most}
      ) listed
    ) newest
    ORDER BY kinds.kind
  `.execute(database)
  return rows.map(({ kind, open, open_or_more }) => ({
    kind,
    exceptions: counts[kind] ?? 0,
    open,
    open_or_more,
  }))
}

const countOfKinds = async (database: Database, statementId: bigint): Promise<Record<string, number>> => {
  const { rows } = await sql<{ kind: string; count: number }>`
    SELECT kind, count(*)::integer AS count FROM statement_exceptions
    WHERE statement_id = ${statementId} GROUP BY kind
  `.execute(database)
  return Object.fromEntries(rows.map(({ kind, count }) => [kind, count]))
}
