import { sql, type Transaction } from 'kysely'
import type { RowOf, Schema } from '../../database/schema/schema.ts'
import type { SignalConditionKind } from '../../database/schema/signals.ts'
import { cleanText } from '../../values/outside-text.ts'
import { HELD_UNTIL } from '../daraja/back-off.ts'
import type { Signal } from './render-signal.ts'
import { MOST_LISTED } from './take-news.ts'

// What lasts. It is told once it has lasted for a while, and once it has been over for a while: what comes and goes in
// between is one trouble, told once.

/** How long something must last before it is told, and be over before that is told, ms. */
export type Patience = { raiseAfterMs: number; clearAfterMs: number }

/** Daraja holds an account off for seconds at a time: it is still doing so for this long after, seconds. */
const HELD_LATELY_SECONDS = 60

/**
 * Brings the conditions up to date with what is so now. An endpoint that was closed without having been tried, for
 * nothing was held any more, is no better for it. Test payments' are left out.
 */
export const followConditions = async (
  transaction: Transaction<Schema>,
  options: Pick<Patience, 'clearAfterMs'> & { overdue: number },
): Promise<void> => {
  await sql`
    WITH present AS MATERIALIZED (
      SELECT 'endpoint' AS kind, partner_id, host AS name FROM endpoints
      WHERE partner_id > 0 AND opens > 0 AND state <> 'ramping'
      UNION ALL
      SELECT 'daraja', 0, shortcode FROM daraja_accounts
      WHERE held_since IS NOT NULL AND shortcode NOT LIKE 'test-%'
        AND ${HELD_UNTIL} > now() - make_interval(secs => ${HELD_LATELY_SECONDS})
      UNION ALL
      SELECT 'payments', 0, '' WHERE ${options.overdue}::int > 0
    ), begun AS (
      INSERT INTO signal_conditions (kind, partner_id, name) SELECT kind, partner_id, name FROM present
      ON CONFLICT (kind, partner_id, name) DO UPDATE SET ended_at = NULL
      WHERE signal_conditions.ended_at IS NOT NULL
    )
    UPDATE signal_conditions SET ended_at = now()
    WHERE ended_at IS NULL AND (kind, partner_id, name) NOT IN (SELECT kind, partner_id, name FROM present)
  `.execute(transaction)
  await transaction
    .deleteFrom('signal_conditions')
    .where('told_at', 'is', null)
    .where('ended_at', '<=', sql<Date>`now() - make_interval(secs => ${options.clearAfterMs / 1000})`)
    .execute()
}

/** One condition that is to be told, and how many of its kind are. */
type Told = RowOf<'signal_conditions', 'partner_id' | 'name' | 'since'> & { total: number; partner: string }

type Began = Told & RowOf<'attempts', 'error_class' | 'status'>

/** Takes what of a kind has lasted for long enough, and was not told: the first 20, and how many. */
const takeBegun = async (
  transaction: Transaction<Schema>,
  kind: SignalConditionKind,
  { raiseAfterMs }: Patience,
): Promise<Began[]> => {
  const { rows } = await sql<Began>`
    WITH told AS (
      UPDATE signal_conditions SET told_at = now()
      WHERE kind = ${kind} AND told_at IS NULL AND ended_at IS NULL
        AND since <= now() - make_interval(secs => ${raiseAfterMs / 1000})
      RETURNING partner_id, name, since
    ), listed AS (
      SELECT (count(*) OVER ())::int AS total, told.* FROM told ORDER BY since, partner_id, name LIMIT ${MOST_LISTED}
    )
    SELECT listed.*, coalesce(partners.name, '') AS partner, last.error_class, last.status
    FROM listed
    LEFT JOIN partners ON partners.id = listed.partner_id
    LEFT JOIN LATERAL (
      SELECT delivery_id FROM to_deliver
      WHERE partner_id = listed.partner_id AND host = listed.name AND held_at IS NOT NULL ORDER BY due_at LIMIT 1
    ) held ON true
    LEFT JOIN LATERAL (
      SELECT error_class, status FROM attempts
      WHERE delivery_id = held.delivery_id AND finished_at IS NOT NULL ORDER BY number DESC LIMIT 1
    ) last ON true
    ORDER BY listed.since, listed.partner_id, listed.name
  `.execute(transaction)
  return rows
}

type Ended = Told & { ended_at: Date }

/** Takes what of a kind has been over for long enough, after it was told that it began. */
const takeEnded = async (
  transaction: Transaction<Schema>,
  kind: SignalConditionKind,
  { clearAfterMs }: Patience,
): Promise<Ended[]> => {
  const { rows } = await sql<Ended>`
    WITH over AS (
      DELETE FROM signal_conditions
      WHERE kind = ${kind} AND told_at IS NOT NULL
        AND ended_at <= now() - make_interval(secs => ${clearAfterMs / 1000})
      RETURNING partner_id, name, since, ended_at
    )
    SELECT (count(*) OVER ())::int AS total, over.*, coalesce(partners.name, '') AS partner
    FROM over LEFT JOIN partners ON partners.id = over.partner_id
    ORDER BY since, partner_id, over.name LIMIT ${MOST_LISTED}
  `.execute(transaction)
  return rows
}

/** Takes what is to be told of one type of signals; null: nothing. */
type Take = (transaction: Transaction<Schema>, patience: Patience) => Promise<Signal | null>

export const takeDown: Take = async (transaction, patience) => {
  const rows = await takeBegun(transaction, 'endpoint', patience)
  if (rows[0] === undefined) return null
  const endpoints = rows.map((row) => ({
    ...endpointOf(row),
    since: row.since,
    error_class: row.error_class,
    status: row.status,
  }))
  return { type: 'endpoint.down', data: { count: rows[0].total, endpoints } }
}

export const takeBack: Take = async (transaction, patience) => {
  const rows = await takeEnded(transaction, 'endpoint', patience)
  if (rows[0] === undefined) return null
  const endpoints = rows.map((row) => ({ ...endpointOf(row), since: row.since, until: row.ended_at }))
  return { type: 'endpoint.back', data: { count: rows[0].total, endpoints } }
}

const endpointOf = ({ partner_id, partner, name }: Told) => ({
  partner_id: Number(partner_id),
  partner: cleanText(partner),
  host: name,
})

export const takeHoldingOff: Take = async (transaction, patience) => {
  const rows = await takeBegun(transaction, 'daraja', patience)
  if (rows[0] === undefined) return null
  const accounts = rows.map(({ name, since }) => ({ shortcode: name, since }))
  return { type: 'daraja.holding_off', data: { count: rows[0].total, accounts } }
}

export const takeDarajaBack: Take = async (transaction, patience) => {
  const rows = await takeEnded(transaction, 'daraja', patience)
  if (rows[0] === undefined) return null
  const accounts = rows.map(({ name, since, ended_at }) => ({ shortcode: name, since, until: ended_at }))
  return { type: 'daraja.back', data: { count: rows[0].total, accounts } }
}

/** `overdue`: so many are, open for longer than `afterMs`. */
export const takeOverdue =
  ({ overdue, afterMs }: { overdue: number; afterMs: number }): Take =>
  async (transaction, patience) => {
    const rows = await takeBegun(transaction, 'payments', patience)
    if (rows[0] === undefined) return null
    return {
      type: 'payments.overdue',
      data: { count: overdue, after_seconds: Math.round(afterMs / 1000) },
    }
  }

export const takeCaughtUp: Take = async (transaction, patience) => {
  const [row] = await takeEnded(transaction, 'payments', patience)
  if (row === undefined) return null
  return { type: 'payments.caught_up', data: { since: row.since, until: row.ended_at } }
}
