import { html, type SafeHtml } from '@remix-run/html-template'
import type { FastifyInstance } from 'fastify'
import type { Total } from '../../gen/mpesa/gateway/v1/statements_pb.js'
import type { ConsoleParts } from '../console-parts.ts'
import { filterForm } from '../page/form.ts'
import { pager, table } from '../page/table.ts'
import { addPage, type Call } from '../route.ts'

const PATH = '/statements/totals'
const BY = ['day', 'partner', 'account'] as const

/** What was paid in all: read only when days are given, for what is read grows with them. */
export const addTotalsPage = (app: FastifyInstance, parts: ConsoleParts): void => {
  addPage(app, parts, {
    path: PATH,
    needs: 'look',
    answer: async (call) => ({ title: 'What was paid in all', body: await body(call) }),
    csv: (call) => ({ name: 'totals', columns: ['of', 'payments', 'amount_kes'], rows: csvRows(call) }),
  })
}

const requestOf = ({ query }: Call) => ({
  from: query.get('from') ?? '',
  to: query.get('to') ?? '',
  by: BY.find((one) => one === query.get('by')) ?? 'day',
})

const body = async (call: Call): Promise<SafeHtml> => {
  const request = requestOf(call)
  const form = filterForm(PATH, [
    { name: 'from', label: 'First day, of Nairobi', kind: 'date', value: request.from, required: true },
    { name: 'to', label: 'Last day, of at most 92', kind: 'date', value: request.to, required: true },
    { name: 'by', label: 'By', kind: 'select', value: request.by, options: BY.map((one) => [one, one]) },
  ])
  if (request.from === '' && request.to === '') return form
  const { totals, payments, amountKes } = await call.clients.statements.getTotals(request)
  return html`${form}${table({
    caption: `${payments.toLocaleString('en-US')} payments, KES ${amountKes.toLocaleString('en-US')} in all`,
    columns: [
      { head: request.by === 'day' ? 'Day' : request.by === 'partner' ? 'Partner' : 'Account', cell: nameOf },
      { head: 'Payments', kind: 'number', cell: (total) => total.payments.toLocaleString('en-US') },
      { head: 'KES', kind: 'number', cell: (total) => total.amountKes.toLocaleString('en-US') },
    ],
    rows: totals,
    none: 'Nothing was paid.',
  })}${pager(call, { cursor: 'before', next: null, csv: true })}`
}

const nameOf = ({ day, partnerId, partner, accountId, shortcode }: Total): string => {
  if (day !== undefined) return day
  if (partnerId !== undefined) return `${partner ?? ''} (${partnerId})`
  return `${shortcode ?? ''} (account ${accountId})`
}

async function* csvRows(call: Call) {
  const { totals } = await call.clients.statements.getTotals(requestOf(call))
  for (const total of totals) yield [nameOf(total), total.payments, total.amountKes]
}
