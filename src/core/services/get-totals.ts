import type { Database } from '../../database/connect.ts'
import type { GetTotalsRequest } from '../../gen/mpesa/gateway/v1/statements_pb.js'
import { fromDarajaTimestamp } from '../../values/instant.ts'
import type { DarajaAccount } from '../daraja/account.ts'
import { readTotals, TOTALS_BY, type TotalRow, type TotalsBy } from '../totals/read-totals.ts'
import { wrongField } from './refused.ts'

/** Days that are summed at once: what is read grows with them. */
const MOST_DAYS = 92
const DAY_MS = 24 * 3_600_000

/** Reads what was paid of some days of Nairobi. Throws `Refused`. */
export const answerTotals = async (
  parts: { database: Database; defaultAccount: () => Pick<DarajaAccount, 'shortcode'> },
  request: GetTotalsRequest,
) => {
  const from = readDay('from', request.from)
  const to = new Date(readDay('to', request.to).getTime() + DAY_MS)
  if (from >= to) throw wrongField('to', 'must not be before from')
  if (to.getTime() - from.getTime() > MOST_DAYS * DAY_MS)
    throw wrongField('to', `must be at most ${MOST_DAYS} days from the first: sum a longer time in parts`)
  const by = readBy(request.by)
  const rows = await readTotals(parts.database, { from, to, by })
  const sum = (field: 'payments' | 'amount_kes'): bigint => rows.reduce((all, row) => all + row[field], 0n)
  return {
    totals: rows.map((row) => toTotal(row, parts.defaultAccount)),
    payments: sum('payments'),
    amountKes: sum('amount_kes'),
  }
}

const readDay = (field: 'from' | 'to', text: string): Date => {
  const day = /^\d{4}-\d\d-\d\d$/.test(text) ? fromDarajaTimestamp(`${text.replaceAll('-', '')}000000`) : null
  if (day === null) throw wrongField(field, 'must be a day of Nairobi, like 2026-11-25')
  return day
}

const readBy = (text: string): TotalsBy => {
  if (text === '') return 'day'
  const by = TOTALS_BY.find((one) => one === text)
  if (by === undefined) throw wrongField('by', `must be one of ${TOTALS_BY.join(', ')}`)
  return by
}

const toTotal = (row: TotalRow, defaultAccount: () => Pick<DarajaAccount, 'shortcode'>) => ({
  day: row.day ?? undefined,
  partnerId: row.partner_id ?? undefined,
  partner: row.partner ?? undefined,
  accountId: row.account_id ?? undefined,
  shortcode: row.account_id === 0n ? defaultAccount().shortcode : (row.shortcode ?? undefined),
  payments: row.payments,
  amountKes: row.amount_kes,
})
