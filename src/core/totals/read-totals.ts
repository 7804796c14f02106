import { type RawBuilder, sql } from 'kysely'
import type { Database } from '../../database/connect.ts'
import { anyOf } from '../../database/given-rows.ts'
import { planBySize } from '../../database/plan-by-size.ts'
import { findIdBounds } from '../payments/id-bounds.ts'

export const TOTALS_BY = ['day', 'partner', 'account'] as const
export type TotalsBy = (typeof TOTALS_BY)[number]

/** What was paid of one day, partner or account. */
export type TotalRow = {
  day: string | null
  partner_id: bigint | null
  partner: string | null
  account_id: bigint | null
  shortcode: string | null
  payments: bigint
  amount_kes: bigint
}

/**
 * How long a payment may be made before it is paid, ms, so that it is read without anybody having settled it by hand: what
 * is asked of Daraja for days is far less.
 */
const PAID_LATER_MS = 7 * 24 * 3_600_000

/**
 * What was paid from `from` on and before `to`, by when the money moved; of what was settled without that being known, by
 * when it was settled. Test payments do not count. It reads the payments that were made in that time and seven days
 * before, and those that operators settled in it, and no others.
 */
export const readTotals = async (
  database: Database,
  { from, to, by }: { from: Date; to: Date; by: TotalsBy },
): Promise<TotalRow[]> => {
  const createdFrom = new Date(from.getTime() - PAID_LATER_MS)
  const { from: firstId, below } = await findIdBounds(database, { createdFrom, createdTo: to })
  if (firstId === null || below === null) return []
  return planBySize(database, async (transaction) => {
    const settled = await findSettledByHand(transaction, { from, to, below: firstId })
    const isPaid = sql`state = 'successful' AND partner_id > 0 AND transaction_date >= ${from} AND transaction_date < ${to}`
    const { rows } = await sql<TotalRow>`
      SELECT ${KEYS[by]}, count(*) AS payments, sum(amount_kes)::bigint AS amount_kes
      FROM (
        SELECT transaction_date, partner_id, account_id, amount_kes FROM payments
        WHERE id >= ${firstId} AND id < ${below} AND ${isPaid}
        UNION ALL
        SELECT transaction_date, partner_id, account_id, amount_kes FROM payments
        WHERE id = ${anyOf('payments.id', settled)} AND ${isPaid}
      ) paid
      ${JOINS[by]}
      GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 4
    `.execute(transaction)
    return rows
  })
}

/** Payments with smaller ids that operators settled then: the audit log has each. */
const findSettledByHand = async (
  database: Database,
  { from, to, below }: { from: Date; to: Date; below: bigint },
): Promise<bigint[]> => {
  const { rows } = await sql<{ id: bigint }>`
    SELECT DISTINCT subject_id::bigint AS id FROM audit
    WHERE subject_kind = 'payment' AND action = 'settled' AND at >= ${from} AND at < ${to}::timestamptz + interval '1 hour'
  `.execute(database)
  return rows.map(({ id }) => id).filter((id) => id < below)
}

const none = (type: 'text' | 'bigint') => sql`NULL::${sql.raw(type)}`
const DAY = sql`to_char(paid.transaction_date AT TIME ZONE 'Africa/Nairobi', 'YYYY-MM-DD')`

const KEYS: Readonly<Record<TotalsBy, RawBuilder<unknown>>> = {
  day: sql`${DAY} AS day, ${none('bigint')} AS partner_id, ${none('text')} AS partner,
    ${none('bigint')} AS account_id, ${none('text')} AS shortcode`,
  partner: sql`${none('text')} AS day, paid.partner_id AS partner_id, partners.name AS partner,
    ${none('bigint')} AS account_id, ${none('text')} AS shortcode`,
  account: sql`${none('text')} AS day, ${none('bigint')} AS partner_id, ${none('text')} AS partner,
    paid.account_id AS account_id, partner_accounts.shortcode AS shortcode`,
}

const JOINS: Readonly<Record<TotalsBy, RawBuilder<unknown>>> = {
  day: sql``,
  partner: sql`LEFT JOIN partners ON partners.id = paid.partner_id`,
  account: sql`LEFT JOIN partner_accounts ON partner_accounts.id = paid.account_id`,
}
