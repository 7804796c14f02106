import { sql } from 'kysely'
import type { Database } from '../../database/connect.ts'

/** More accounts than any gateway has. */
const MAX_ACCOUNTS = 10_000

/**
 * The accounts whose duties of a table are due, also while somebody has them under a lease. One look at the index for
 * each account, however many duties it has.
 */
export const findDueAccounts = async (
  database: Database,
  table: 'to_submit' | 'to_query' | 'to_confirm',
): Promise<bigint[]> => {
  const duties = sql.table(table)
  const { rows } = await sql<{ account_id: bigint }>`
    WITH RECURSIVE accounts AS (
      (SELECT account_id FROM ${duties} ORDER BY account_id LIMIT 1)
      UNION ALL
      SELECT (
        SELECT duties.account_id FROM ${duties} duties WHERE duties.account_id > accounts.account_id
        ORDER BY duties.account_id LIMIT 1
      )
      FROM accounts WHERE accounts.account_id IS NOT NULL
    )
    SELECT account_id FROM accounts
    WHERE EXISTS (SELECT FROM ${duties} due WHERE due.account_id = accounts.account_id AND due.due_at <= now())
    LIMIT ${MAX_ACCOUNTS}
  `.execute(database)
  return rows.map((row) => row.account_id)
}

/** The list from another beginning: whoever is served first takes the most. */
export const beginningAt = <One>(list: readonly One[], round: number): One[] => {
  const start = list.length === 0 ? 0 : round % list.length
  return [...list.slice(start), ...list.slice(0, start)]
}

/**
 * What a round of a loop returns of two: more to do at once (true), a pause in ms, or nothing in particular (false).
 */
export const sooner = (one: boolean | number, other: boolean | number): boolean | number => {
  if (one === true || other === true) return true
  if (one === false || other === false) return one || other
  return Math.min(one, other)
}
