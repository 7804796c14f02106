import { type RawBuilder, sql } from 'kysely'
import type { Database } from '../../database/connect.ts'
import { planBySize } from '../../database/plan-by-size.ts'

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

/** Totals, with all that was committed before `summedTo`; or how much is summed yet of what was there before sums were. */
export type Totals =
  | { kind: 'summed'; summedTo: Date; totals: TotalRow[] }
  | { kind: 'filling'; percent: number }

/**
 * What was paid on the days of Nairobi from `from` to `to` (`2026-11-25`), by when the money moved; of what was settled
 * without that being known, by when it was settled. Test payments do not count. It reads the sums of these days, and no payments.
 */
export const readTotals = (
  database: Database,
  { from, to, by }: { from: string; to: string; by: TotalsBy },
): Promise<Totals> =>
  planBySize(database, async (transaction) => {
    const state = await readState(transaction)
    if (state === undefined) return { kind: 'filling', percent: 0 }
    if (state.summed_to === null || !state.is_filled) return { kind: 'filling', percent: state.percent }
    const { rows } = await sql<TotalRow>`
      SELECT ${KEYS[by]}, sum(paid.payments)::bigint AS payments, sum(paid.amount_kes)::bigint AS amount_kes
      FROM daily_totals paid
      ${JOINS[by]}
      WHERE day BETWEEN ${from}::date AND ${to}::date
      GROUP BY 1, 2, 3, 4, 5 HAVING sum(paid.payments) > 0 ORDER BY 1, 2, 4
    `.execute(transaction)
    return { kind: 'summed', summedTo: state.summed_to, totals: rows }
  })

const readState = async (database: Database) => {
  const { rows } = await sql<{ summed_to: Date | null; is_filled: boolean; percent: number }>`
    SELECT summed_to, filled_to >= fill_end AS is_filled,
           floor(100.0 * filled_to / greatest(fill_end, 1))::integer AS percent
    FROM totals_summed
  `.execute(database)
  return rows[0]
}

const none = (type: 'text' | 'bigint') => sql`NULL::${sql.raw(type)}`

const KEYS: Readonly<Record<TotalsBy, RawBuilder<unknown>>> = {
  day: sql`to_char(paid.day, 'YYYY-MM-DD') AS day, ${none('bigint')} AS partner_id, ${none('text')} AS partner,
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
