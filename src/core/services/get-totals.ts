import { timestampFromDate } from '@bufbuild/protobuf/wkt'
import type { Database } from '../../database/connect.ts'
import type { GetTotalsRequest } from '../../gen/mpesa/gateway/v1/statements_pb.js'
import { fromDarajaTimestamp } from '../../values/instant.ts'
import type { DarajaAccount } from '../daraja/account.ts'
import { readTotals, TOTALS_BY, type TotalRow, type TotalsBy } from '../totals/read-totals.ts'
import { Refused, wrongField } from './refused.ts'

/** Days that are asked for at once: one row is read for each, for each partner and account that were paid on it. */
const MOST_DAYS = 366
const DAY_MS = 24 * 3_600_000

/** Reads what was paid of some days of Nairobi. Throws `Refused`. */
export const answerTotals = async (
  parts: { database: Database; defaultAccount: () => Pick<DarajaAccount, 'shortcode'> },
  request: GetTotalsRequest,
) => {
  const { from, to } = request
  const first = readDay('from', from)
  const days = 1 + (readDay('to', to).getTime() - first.getTime()) / DAY_MS
  if (days < 1) throw wrongField('to', 'must be the first day or a later one')
  if (days > MOST_DAYS)
    throw wrongField('to', `must be at most ${MOST_DAYS} days from the first: sum a longer time in parts`)
  const read = await readTotals(parts.database, { from, to, by: readBy(request.by) })
  if (read.kind === 'filling') throw stillFilling(read.percent)
  const sum = (field: 'payments' | 'amount_kes'): bigint =>
    read.totals.reduce((all, row) => all + row[field], 0n)
  return {
    totals: read.totals.map((row) => toTotal(row, parts.defaultAccount)),
    payments: sum('payments'),
    amountKes: sum('amount_kes'),
    summedTo: timestampFromDate(read.summedTo),
  }
}

const stillFilling = (percent: number): Refused =>
  new Refused(
    'not_possible',
    `what was paid before is still being summed by serve, ${percent} % of it so far: ask again in a few minutes`,
  )

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
