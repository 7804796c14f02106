import { sql } from 'kysely'
import { LRUCache } from 'lru-cache'
import type { Database } from '../../database/connect.ts'
import {
  createLookBack,
  FROM_BEGINNING,
  instantOf,
  type Look,
  type LookBack,
  type Looked,
  lookedTo,
} from '../../database/look-back.ts'

/** More accounts than any gateway has. */
const MAX_ACCOUNTS = 10_000

/** Of how many accounts it is remembered how far was looked: each of them is looked at, whether it has duties or not. */
const MAX_KNOWN = 64

/** An account of which duties are due, and since when: none that is due, and under nobody's lease, is so for longer. */
export type DueAccount = { accountId: bigint; since: string }

/** Its duties are there at all times: looked at as one that is known, it costs no walk past what is dead of it. */
const DEFAULT_ACCOUNT = 0n

/** A table of duties of accounts. */
type Duties = 'to_submit' | 'to_query' | 'to_confirm'

/** Makes what finds the accounts whose duties of a table are due, and under nobody's lease. */
export const createDueAccounts = (
  table: Duties,
  { database, nowMs }: { database: Database; nowMs: () => number },
): (() => Promise<DueAccount[]>) => {
  const known = new LRUCache<bigint, LookBack>({ max: MAX_KNOWN })
  known.set(DEFAULT_ACCOUNT, createLookBack(nowMs))

  return async () => {
    const looks = new Map([...known].map(([accountId, lookBack]) => [accountId, lookBack.begin()]))
    const rows = await findDue(database, table, looks)
    for (const row of rows) {
      const lookBack = known.get(row.account_id) ?? createLookBack(nowMs)
      const look = looks.get(row.account_id) ?? lookBack.begin()
      look.ended(row)
      known.set(row.account_id, lookBack)
    }
    return rows.flatMap(({ account_id, since }) => (since === null ? [] : [{ accountId: account_id, since }]))
  }
}

/** An account that is known, or has duties; `since` as Postgres writes it, to the microsecond. */
type AccountRow = Looked & { account_id: bigint; since: string | null }

/** Below the ids of all accounts, and above. */
const LEAST_ID = -(2n ** 63n)
const MOST_ID = 2n ** 63n - 1n

/**
 * Looks at each account that is known from where its look begins, and walks along the index to those that are not,
 * between one that is known and the next: so it passes over the dead rows of none that is known.
 */
const findDue = async (
  database: Database,
  table: Duties,
  looks: ReadonlyMap<bigint, Look>,
): Promise<AccountRow[]> => {
  const ids = [...looks.keys()].toSorted((one, other) => Number(one - other))
  const duties = sql.table(table)
  const isFree = table === 'to_confirm' ? sql`true` : sql`leased_until <= now()`
  const { rows } = await sql<AccountRow>`
    WITH RECURSIVE others AS (
      SELECT above AS account_id, below, false AS is_found
      FROM unnest(${[LEAST_ID, ...ids]}::bigint[], ${[...ids, MOST_ID]}::bigint[]) AS gaps (above, below)
      UNION ALL
      SELECT (
        SELECT duties.account_id FROM ${duties} duties
        WHERE duties.account_id > others.account_id AND duties.account_id < others.below
        ORDER BY duties.account_id LIMIT 1
      ), below, true
      FROM others WHERE account_id IS NOT NULL
    ), accounts AS (
      SELECT account_id, from_at FROM unnest(
        ${ids}::bigint[], ${ids.map((id) => instantOf(looks.get(id) ?? FROM_BEGINNING))}::timestamptz[]
      ) AS known (account_id, from_at)
      UNION ALL SELECT account_id, '-infinity' FROM others WHERE is_found AND account_id IS NOT NULL
    )
    SELECT account_id, due_at::text AS since, ${lookedTo(table, sql`coalesce(due_at, now())`)}
    FROM accounts LEFT JOIN LATERAL (
      SELECT due_at FROM ${duties} duties
      WHERE duties.account_id = accounts.account_id AND due_at >= from_at AND due_at <= now() AND ${isFree}
      ORDER BY due_at LIMIT 1
    ) oldest ON true
    LIMIT ${MAX_ACCOUNTS}
  `.execute(database)
  return rows
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
