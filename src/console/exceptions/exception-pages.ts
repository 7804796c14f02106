import { html, type SafeHtml } from '@remix-run/html-template'
import type { FastifyInstance } from 'fastify'
import type { Exception } from '../../gen/mpesa/gateway/v1/payment_operations_pb.js'
import { type OperatorRole, suffices } from '../../values/operator-role.ts'
import type { ConsoleParts } from '../console-parts.ts'
import { type CsvList, everyPage } from '../csv.ts'
import { badge, link } from '../page/elements.ts'
import { field, filterForm, postForm } from '../page/form.ts'
import type { Page } from '../page/page.ts'
import { partnerLink, payerOf, paymentLink } from '../page/payment-words.ts'
import { readId } from '../page/read-id.ts'
import { type Column, pager, table } from '../page/table.ts'
import { ago, toDate } from '../page/time.ts'
import { type ActionCall, addAction, addPage, type Call, type Done } from '../route.ts'

const PAGE_SIZE = 50

/** Exceptions: what needs a human, oldest first, with what ends each. */
export const addExceptionPages = (app: FastifyInstance, parts: ConsoleParts): void => {
  addPage(app, parts, { path: '/exceptions', needs: 'look', answer: listPage, csv: exceptionCsv })
  addAction(app, parts, {
    path: '/exceptions/:id/acknowledge',
    needs: 'mend',
    act: acknowledge,
    back: () => '/exceptions',
  })
}

const KINDS = [
  ['', 'every kind'],
  ['unconfirmed', 'unconfirmed past its time'],
  ['overdue', 'overdue'],
  ['finding', 'does not fit'],
] as const

const kindOf = (call: Call): string | undefined => call.query.get('kind') || undefined

const listPage = async (call: Call): Promise<Page> => {
  const kind = kindOf(call)
  const { exceptions, nextPageToken } = await call.clients.payments.listExceptions({
    kind,
    pageSize: PAGE_SIZE,
    pageToken: call.query.get('page') ?? '',
  })
  const columns = columnsFor(call.now, call.operator.role)
  return {
    title: 'Exceptions',
    liveSeconds: 15,
    body: html`${filterForm('/exceptions', [{ name: 'kind', label: 'Kind', kind: 'select', value: kind ?? null, options: KINDS }])}
<div data-live="exceptions">${table({ caption: 'What needs you, oldest first', columns, rows: exceptions, none: 'Nothing needs you.' })}
${pager(call, { cursor: 'page', next: nextPageToken === '' ? null : nextPageToken, csv: true })}</div>`,
  }
}

const columnsFor = (now: Date, role: OperatorRole): Column<Exception>[] => [
  { head: 'Since', cell: ({ since }) => ago(since, now) },
  { head: 'Kind', cell: ({ kind }) => badge(kind, kind === 'finding' ? 'bad' : 'warn') },
  {
    head: 'Payment',
    cell: ({ payment, finding }) => paymentLink(payment?.paymentId ?? finding?.paymentId ?? 0n),
  },
  { head: 'KES', kind: 'number', cell: ({ payment }) => payment?.amountKes ?? null },
  { head: 'Payer', cell: ({ payment }) => (payment === undefined ? null : payerOf(payment)) },
  { head: 'Partner', cell: ({ payment }) => (payment === undefined ? null : partnerLink(payment.partnerId)) },
  { head: 'What', cell: ({ sentence }) => sentence },
  { head: 'What ends it', kind: 'words', cell: (exception) => verbsOf(exception, role) },
]

/** What ends it, of what this operator may do. */
const verbsOf = ({ verbs, payment, finding }: Exception, role: OperatorRole): SafeHtml | null => {
  const paymentId = payment?.paymentId ?? finding?.paymentId ?? 0n
  const links = [
    ...(verbs.includes('settle') && suffices(role, 'money')
      ? [link(`/payments/${paymentId}/settle`, 'Settle')]
      : []),
    ...(verbs.includes('cancel') && suffices(role, 'mend') ? [link(`/payments/${paymentId}`, 'Cancel')] : []),
  ]
  const form =
    verbs.includes('acknowledge') && finding !== undefined && suffices(role, 'mend')
      ? acknowledgeForm(finding.findingId)
      : ''
  return html`${links.map((one) => html`${one} `)}${form}`
}

const acknowledgeForm = (findingId: bigint): SafeHtml =>
  html`<details><summary>Acknowledge</summary>${postForm({
    action: `/exceptions/${findingId}/acknowledge`,
    button: 'Acknowledge',
    fields: [noteField(findingId)],
  })}</details>`

/** Each of a page has an id of its own. */
const noteField = (findingId: bigint): SafeHtml =>
  field({ name: `note-${findingId}`, label: 'What was done', required: true })

const acknowledge = async (call: ActionCall): Promise<Done> => {
  const findingId = readId(call.params['id'], 'finding')
  const note = call.form.get(`note-${findingId}`) ?? ''
  await call.clients.payments.acknowledgeFinding({ findingId, note })
  return { goTo: '/exceptions', said: `Finding ${findingId} is acknowledged.` }
}

const exceptionCsv = (call: Call): CsvList => ({
  name: 'exceptions',
  columns: ['since', 'kind', 'payment_id', 'partner_id', 'amount_kes', 'finding_id', 'sentence', 'verbs'],
  rows: csvRows(call),
})

const csvRows = async function* (call: Call) {
  const read = async (pageToken: string | null) => {
    const request = { kind: kindOf(call), pageSize: 1000, pageToken: pageToken ?? '' }
    const { exceptions, nextPageToken } = await call.clients.payments.listExceptions(request)
    return { rows: exceptions, next: nextPageToken === '' ? null : nextPageToken }
  }
  for await (const { since, kind, payment, finding, sentence, verbs } of everyPage(read)) {
    const paymentId = payment?.paymentId ?? finding?.paymentId
    const about = [paymentId, payment?.partnerId, payment?.amountKes, finding?.findingId]
    yield [since && toDate(since), kind, ...about, sentence, verbs.join(' ')]
  }
}
