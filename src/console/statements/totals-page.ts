import { html, type SafeHtml } from '@remix-run/html-template'
import type { FastifyInstance } from 'fastify'
import type { GetTotalsResponse, Total } from '../../gen/mpesa/gateway/v1/statements_pb.js'
import type { ConsoleParts } from '../console-parts.ts'
import { notice } from '../page/elements.ts'
import { filterForm } from '../page/form.ts'
import { pager, table } from '../page/table.ts'
import { eastAfrican, time } from '../page/time.ts'
import { Refusal } from '../refusal.ts'
import { addPage, type Call } from '../route.ts'

const PATH = '/statements/totals'
const BY = ['day', 'partner', 'account'] as const

/** The days that are shown where none are given: the last of them is today. */
const USUAL_DAYS = 31
const DAY_MS = 24 * 3_600_000

/** What was paid in all, by day, partner or account. */
export const addTotalsPage = (app: FastifyInstance, parts: ConsoleParts): void => {
  addPage(app, parts, {
    path: PATH,
    needs: 'look',
    answer: async (call) => ({ title: 'What was paid in all', body: await body(call) }),
    csv: (call) => ({ name: 'totals', columns: ['of', 'payments', 'amount_kes'], rows: csvRows(call) }),
  })
}

const requestOf = ({ query, now }: Call) => ({
  from: query.get('from') ?? dayOf(now.getTime() - (USUAL_DAYS - 1) * DAY_MS),
  to: query.get('to') ?? dayOf(now.getTime()),
  by: BY.find((one) => one === query.get('by')) ?? 'day',
})

const dayOf = (ms: number): string => eastAfrican(new Date(ms)).slice(0, 10)

const body = async (call: Call): Promise<SafeHtml> => {
  const request = requestOf(call)
  const form = filterForm(PATH, [
    { name: 'from', label: 'First day, of Nairobi', kind: 'date', value: request.from, required: true },
    { name: 'to', label: 'Last day, of at most 366', kind: 'date', value: request.to, required: true },
    { name: 'by', label: 'By', kind: 'select', value: request.by, options: BY.map((one) => [one, one]) },
  ])
  return html`${form}${await shown(call, request)}`
}

type Request = ReturnType<typeof requestOf>

/** Nothing is wrong with the request while what was there before is still summed, so the page says it in its place. */
const shown = async (call: Call, request: Request): Promise<SafeHtml> => {
  try {
    return sums(call, request, await call.clients.statements.getTotals(request))
  } catch (error) {
    if (!(error instanceof Refusal) || error.kind !== 'not_possible') throw error
    return notice('warn', error.message)
  }
}

const sums = (call: Call, { by }: Request, answer: GetTotalsResponse): SafeHtml => {
  const { totals, payments, amountKes, summedTo } = answer
  return html`${table({
    caption: `${payments.toLocaleString('en-US')} payments, KES ${amountKes.toLocaleString('en-US')} in all`,
    columns: [
      { head: HEADS[by], cell: nameOf },
      { head: 'Payments', kind: 'number', cell: (total) => total.payments.toLocaleString('en-US') },
      { head: 'KES', kind: 'number', cell: (total) => total.amountKes.toLocaleString('en-US') },
    ],
    rows: totals,
    none: 'Nothing was paid.',
  })}<p>Summed up to ${time(summedTo)}, once a minute.</p>${pager(call, { cursor: 'before', next: null, csv: true })}`
}

const HEADS = { day: 'Day', partner: 'Partner', account: 'Account' } as const

const nameOf = ({ day, partnerId, partner, accountId, shortcode }: Total): string => {
  if (day !== undefined) return day
  if (partnerId !== undefined) return `${partner ?? ''} (${partnerId})`
  return `${shortcode ?? ''} (account ${accountId})`
}

async function* csvRows(call: Call) {
  const { totals } = await call.clients.statements.getTotals(requestOf(call))
  for (const total of totals) yield [nameOf(total), total.payments, total.amountKes]
}
