import { html, type SafeHtml } from '@remix-run/html-template'
import type { Partner } from '../../gen/mpesa/gateway/v1/partners_pb.js'
import { suffices } from '../../values/operator-role.ts'
import { type CsvList, everyPage } from '../csv.ts'
import { badge, link, section } from '../page/elements.ts'
import { field, postForm } from '../page/form.ts'
import type { Page } from '../page/page.ts'
import { readId } from '../page/read-id.ts'
import { type Column, pager, table } from '../page/table.ts'
import { time, toDate } from '../page/time.ts'
import type { Call } from '../route.ts'
import { ACCOUNTS_PATH } from './accounts-page.ts'

const PAGE_SIZE = 50

/** The partners, oldest first. */
export const partnerListPage = async (call: Call): Promise<Page> => {
  const after = call.query.get('after')
  const { partners, nextAfter } = await call.clients.partners.listPartners({
    pageSize: PAGE_SIZE,
    ...(after !== null && { after: readId(after, 'page') }),
  })
  const next = nextAfter === undefined ? null : String(nextAfter)
  return {
    title: 'Partners',
    body: html`<p class="tabs">${link('/partners', 'Partners')} · ${link(ACCOUNTS_PATH, 'Accounts at Daraja')}</p>${table({ caption: 'Partners, oldest first', columns: COLUMNS, rows: partners, none: 'There are no partners.' })}
${pager(call, { cursor: 'after', next, csv: true })}${suffices(call.operator.role, 'money') ? createForm() : ''}`,
  }
}

const createForm = (): SafeHtml =>
  section(
    'A new partner',
    postForm({
      action: '/partners/create',
      button: 'Create the partner',
      fields: [field({ name: 'name', label: 'Name', required: true, autocomplete: 'off' })],
    }),
  )

/** Whether it may ask for payments. */
export const partnerBadge = ({ disabledAt }: Partner): SafeHtml =>
  disabledAt === undefined ? badge('enabled', 'good') : badge('disabled', 'bad')

const COLUMNS: readonly Column<Partner>[] = [
  { head: 'Id', kind: 'number', cell: ({ partnerId }) => String(partnerId) },
  { head: 'Name', cell: ({ partnerId, name }) => link(`/partners/${partnerId}`, name) },
  { head: 'State', cell: partnerBadge },
  {
    head: 'Keys that work',
    cell: ({ keyPrefixes }) => keyPrefixes.map((prefix) => `${prefix}…`).join(', ') || null,
  },
  { head: 'Since', cell: ({ createdAt }) => time(createdAt) },
]

/** All partners as CSV. */
export const partnerCsv = (call: Call): CsvList => ({
  name: 'partners',
  columns: ['partner_id', 'name', 'created_at', 'disabled_at', 'keys'],
  rows: csvRows(call),
})

const csvRows = async function* (call: Call) {
  const read = async (after: bigint | null) => {
    const request = { pageSize: 1000, ...(after !== null && { after }) }
    const { partners, nextAfter } = await call.clients.partners.listPartners(request)
    return { rows: partners, next: nextAfter ?? null }
  }
  for await (const { partnerId, name, createdAt, disabledAt, keyPrefixes } of everyPage(read)) {
    yield [
      partnerId,
      name,
      createdAt && toDate(createdAt),
      disabledAt && toDate(disabledAt),
      keyPrefixes.join(' '),
    ]
  }
}
