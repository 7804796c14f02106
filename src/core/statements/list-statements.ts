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
  'matched_lines',
  'exception_counts',
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
