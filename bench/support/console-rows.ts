import { sql } from 'kysely'
import { noteFound } from '../../src/core/statements/count-found.ts'
import type { Database } from '../../src/database/connect.ts'

/** Lines of a statement that are of payments, and those that are of none; deliveries that are dead. */
const PAID_LINES = 200_000
const UNKNOWN_LINES = 5_000
const DEAD = 1_000

/**
 * Puts what pages show beside payments: a statement of M-PESA's of the newest payments, with what does not fit, and
 * deliveries that are dead, where they are not there yet. Resolves with the id of the statement.
 */
export const addConsoleRows = async (database: Database): Promise<bigint> => {
  const kept = await database.selectFrom('statements').select('id').executeTakeFirst()
  if (kept) return kept.id
  const { rows } = await sql<{ id: bigint }>`
    WITH statement AS (
      INSERT INTO statements (fingerprint, file_name, shortcode, covers_from, covers_to, imported_by)
      VALUES (sha256('bench'), 'statement.csv', '174379', now() - interval '1 day', now(), 'bench') RETURNING id
    ), paid AS (
      INSERT INTO statement_lines (receipt, shortcode, statement_id, line, completed_at, paid_cents, reference, payment_id)
      SELECT receipt, '174379', statement.id, row_number() OVER (), transaction_date, 100 * amount_kes, reference, newest.id
      FROM statement CROSS JOIN (SELECT * FROM payments ORDER BY id DESC LIMIT ${PAID_LINES}) newest
      WHERE receipt IS NOT NULL
    ), unknown AS (
      INSERT INTO statement_lines (receipt, shortcode, statement_id, line, completed_at, paid_cents)
      SELECT 'UX' || lpad(number::text, 8, '0'), '174379', statement.id, number, now(), 15000
      FROM statement, generate_series(1, ${UNKNOWN_LINES}::integer) number
      RETURNING receipt, statement_id
    ), exceptions AS (
      INSERT INTO statement_exceptions (statement_id, kind, receipt, paid_cents, completed_at)
      SELECT statement_id, 'unknown_here', receipt, 15000, now() FROM unknown
    ), dead AS (
      UPDATE deliveries SET state = 'dead', dead_reason = 'its schedule ran out'
      FROM (SELECT id FROM deliveries ORDER BY id DESC LIMIT ${DEAD}) newest
      WHERE deliveries.id = newest.id
      RETURNING deliveries.id, partner_id, host
    ), letters AS (
      INSERT INTO dead_letters (delivery_id, partner_id, host, reason, error_class)
      SELECT id, partner_id, host, 'its schedule ran out', 'dns' FROM dead
    )
    SELECT id FROM statement
  `.execute(database)
  const id = rows[0]?.id
  if (id === undefined) throw new Error('no statement was put')
  const { lines } = await database
    .selectFrom('statement_lines')
    .select((builder) => builder.fn.countAll<bigint>().as('lines'))
    .where('statement_id', '=', id)
    .executeTakeFirstOrThrow()
  await noteFound(database, id, Number(lines))
  return id
}
