import { sql } from 'kysely'
import type { Database } from '../../database/connect.ts'
import type { RowOf } from '../../database/schema/schema.ts'

const COLUMNS = [
  'id',
  'file_name',
  'shortcode',
  'covers_from',
  'covers_to',
  'imported_at',
  'imported_by',
  'lines',
  'paid_lines',
  'paid_cents',
  'withdrawn_cents',
  'known_lines',
] as const

export type StatementRow = RowOf<'statements', (typeof COLUMNS)[number]>

/** At most `limit` statements with an id below `before`, the newest first. */
export const listStatements = (
  database: Database,
  { before, limit }: { before: bigint; limit: number },
): Promise<StatementRow[]> =>
  database
    .selectFrom('statements')
    .select(COLUMNS)
    .where('id', '<', before)
    .orderBy('id', 'desc')
    .limit(limit)
    .execute()

/** One statement; undefined when there is none. */
export const findStatement = (database: Database, id: bigint): Promise<StatementRow | undefined> =>
  database.selectFrom('statements').select(COLUMNS).where('id', '=', id).executeTakeFirst()

/** How many lines that a statement was the first to bring are of a payment here. */
export const countMatched = async (database: Database, statementId: bigint): Promise<number> => {
  const { rows } = await sql<{ matched: number }>`
    SELECT (count(*) FILTER (WHERE payment_id IS NOT NULL))::integer AS matched FROM statement_lines
    WHERE statement_id = ${statementId}
  `.execute(database)
  return rows[0]?.matched ?? 0
}
