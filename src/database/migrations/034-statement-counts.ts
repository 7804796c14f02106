import { type Kysely, sql } from 'kysely'

/**
 * What an import found of a statement is counted once, when it ends: how many lines are of a payment here, and how many
 * exceptions there are of each kind. Which of them nobody has acknowledged is found by an index, in the order of lists.
 */
export const up = async (database: Kysely<unknown>): Promise<void> => {
  await sql`
    ALTER TABLE statements ADD COLUMN matched_lines integer, ADD COLUMN exception_counts jsonb
  `.execute(database)
  await sql`
    UPDATE statements SET matched_lines = coalesce(matched.count, 0), exception_counts = coalesce(exceptions.counts, '{}')
    FROM statements every
    LEFT JOIN (
      SELECT statement_id, count(*) FROM statement_lines WHERE payment_id IS NOT NULL GROUP BY statement_id
    ) matched ON matched.statement_id = every.id
    LEFT JOIN (
      SELECT statement_id, jsonb_object_agg(kind, count) AS counts
      FROM (SELECT statement_id, kind, count(*) FROM statement_exceptions GROUP BY statement_id, kind) kinds
      GROUP BY statement_id
    ) exceptions ON exceptions.statement_id = every.id
    WHERE statements.id = every.id
  `.execute(database)
  await sql`
    CREATE INDEX statement_exceptions_unacknowledged ON statement_exceptions (statement_id, kind, id)
    WHERE acknowledged_at IS NULL
  `.execute(database)
}

export const down = async (database: Kysely<unknown>): Promise<void> => {
  await sql`DROP INDEX statement_exceptions_unacknowledged`.execute(database)
  await sql`ALTER TABLE statements DROP COLUMN matched_lines, DROP COLUMN exception_counts`.execute(database)
}
