import { sql } from 'kysely'
import type { Database } from '../../database/connect.ts'

/**
 * How far the order of ids may be from that of `created_at`, ms. A row is created at the begin of its transaction and
 * gets its id later in it, after whatever that waits for: statements that Postgres gives up after 24 s each
 * (`ANSWER_WITHIN_MS`), a few of them. The clock of Postgres may also be put back a little.
 */
const OUT_OF_ORDER_MS = 120_000

/** Ids between which all rows of a time are: from `from` on, and below `below`; null: no bound. */
export type IdBounds = { from: bigint | null; below: bigint | null }

type Sought = { position: bigint; bound: bigint }

/**
 * The bounds of the ids of payments, or deliveries, that were created at `createdFrom` or later and before `createdTo`;
 * null: no bound. Ids grow with time, so the bound is found by halving, in some thirty steps by the primary key however
 * many there are. Others are between the bounds too: whoever reads there asks for `created_at` as well. Raw SQL: a recursive
 * walk.
 */
export const findIdBounds = async (
  database: Database,
  time: { createdFrom: Date | null; createdTo: Date | null },
  of: 'payments' | 'deliveries' = 'payments',
): Promise<IdBounds> => {
  const { createdFrom, createdTo } = time
  if (createdFrom === null && createdTo === null) return { from: null, below: null }
  // Postgres moves them: a Date of the year 10000 is none for it.
  const moved = sql`given.instant + given.sign * make_interval(secs => ${OUT_OF_ORDER_MS / 1000})`
  const { rows } = await sql<Sought>`
    WITH RECURSIVE ends AS (
      SELECT (SELECT id FROM ${sql.table(of)} ORDER BY id LIMIT 1) AS first,
             (SELECT id FROM ${sql.table(of)} ORDER BY id DESC LIMIT 1) AS last
    ), search AS (
      -- What is sought is the least bound, from low to high, that no older payment is at or above.
      SELECT position, sought.instant, first AS low, last + 1 AS high
      FROM ends
      CROSS JOIN unnest(${[createdFrom, createdTo]}::timestamptz[], ARRAY[-1, 1]) WITH ORDINALITY AS given (instant, sign, position)
      CROSS JOIN LATERAL (SELECT ${moved} AS instant) AS sought
      WHERE sought.instant IS NOT NULL AND first IS NOT NULL
      UNION ALL
      SELECT position, instant, CASE WHEN is_older THEN probe.id + 1 ELSE low END, CASE WHEN is_older THEN high ELSE middle END
      FROM search
      CROSS JOIN LATERAL (SELECT (low + high) / 2 AS middle) AS halves
      LEFT JOIN LATERAL (SELECT id, created_at FROM ${sql.table(of)} WHERE id >= middle ORDER BY id LIMIT 1) AS probe ON true
      CROSS JOIN LATERAL (SELECT coalesce(probe.id < high AND probe.created_at < instant, false) AS is_older) AS judged
      WHERE low < high
    )
    SELECT position, low AS bound FROM search WHERE low = high
  `.execute(database)
  const boundAt = (position: bigint): bigint | null =>
    rows.find((row) => row.position === position)?.bound ?? null
  return { from: boundAt(1n), below: boundAt(2n) }
}
