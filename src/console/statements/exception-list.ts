import { html, type SafeHtml } from '@remix-run/html-template'
import type { FastifyInstance } from 'fastify'
import type { StatementException } from '../../gen/mpesa/gateway/v1/statements_pb.js'
import type { ConsoleParts } from '../console-parts.ts'
import { everyPage } from '../csv.ts'
import { badge, link, section } from '../page/elements.ts'
import { field, filterForm, hidden, postForm } from '../page/form.ts'
import { pager, table } from '../page/table.ts'
import { time, toDate } from '../page/time.ts'
import { addAction, addPage, type Call } from '../route.ts'
import { readCursor, readIdOf } from './amounts.ts'

const LIST = '/statement-exceptions'
const KINDS = [
  'paid_there',
  'receipt_there',
  'unknown_here',
  'missing_there',
  'different_amount',
  'paid_again',
  'taken_here',
  'twice',
  'reversed',
  'given_back',
]
const PAGE_SIZE = 50

/** What of statements and payments does not fit, each with what is done about it. */
export const addExceptionLists = (app: FastifyInstance, parts: ConsoleParts): void => {
  addPage(app, parts, {
    path: LIST,
    needs: 'look',
    answer: async (call) => ({ title: 'Exceptions of statements', body: await listBody(call) }),
    csv: (call) => ({ name: 'statement-exceptions', columns: CSV_COLUMNS, rows: csvRows(call) }),
  })
  addAction(app, parts, {
    path: `${LIST}/:id/acknowledge`,
    needs: 'mend',
    act: async (call) => {
      const exceptionId = readIdOf(call)
      const note = call.form.get('note') ?? ''
      const { acknowledged } = await call.clients.statements.acknowledgeStatementExceptions({
        exceptionId,
        note,
      })
      return {
        goTo: LIST,
        said:
          acknowledged === 0 ? 'It was acknowledged before.' : `Exception ${exceptionId} is acknowledged.`,
      }
    },
    back: () => LIST,
  })
  addAction(app, parts, {
    path: `${LIST}/acknowledge`,
    needs: 'mend',
    act: async (call) => {
      const statementId = BigInt(/^\d{1,18}$/.exec(call.form.get('statement') ?? '')?.[0] ?? '0')
      const [kind, note] = [call.form.get('kind') ?? '', call.form.get('note') ?? '']
      const { acknowledged } = await call.clients.statements.acknowledgeStatementExceptions({
        statementId,
        kind,
        note,
      })
      return { goTo: `${LIST}?statement=${statementId}`, said: `${acknowledged} acknowledged.` }
    },
    back: () => LIST,
  })
}

const filterOf = (call: Call) => ({
  statementId: readCursor(call, 'statement'),
  kind: KINDS.find((kind) => kind === call.query.get('kind')),
  openOnly: call.query.get('open') === 'yes',
})

const listBody = async (call: Call): Promise<SafeHtml> => {
  const filter = filterOf(call)
  const request = { pageSize: PAGE_SIZE, before: readCursor(call, 'before'), ...filter }
  const { exceptions, nextBefore } = await call.clients.statements.listStatementExceptions(request)
  const cut =
    nextBefore === undefined || exceptions.length === PAGE_SIZE
      ? null
      : `It was looked as far back as exception ${nextBefore}: there may be more before it.`
  return html`<p>What ${link('/statements', 'statements')} and payments do not agree on. What payments do not agree on with
themselves is under ${link('/exceptions', 'Exceptions')}.</p>${filters(call)}${table({
    caption: 'What does not fit, newest first',
    columns: [
      { head: 'State', cell: stateOf },
      { head: 'What is so', cell: ({ sentence }) => sentence },
      {
        head: 'Payment',
        cell: ({ paymentId }) =>
          paymentId === undefined ? null : link(`/payments/${paymentId}`, String(paymentId)),
      },
      { head: 'Paid', cell: ({ completedAt }) => time(completedAt) },
      { head: 'What is done', cell: verbs },
    ],
    rows: exceptions,
    none: cut === null ? (filter.openOnly ? 'Nothing is open.' : 'Everything fits.') : 'None of these is.',
  })}${pager(call, { cursor: 'before', next: nextBefore === undefined ? null : String(nextBefore), csv: true, cut })}${all(filter)}`
}

const filters = ({ query }: Call): SafeHtml =>
  filterForm(LIST, [
    {
      name: 'open',
      label: 'State',
      kind: 'select',
      value: query.get('open'),
      options: [
        ['', 'all'],
        ['yes', 'open'],
      ],
    },
    {
      name: 'kind',
      label: 'Kind',
      kind: 'select',
      value: query.get('kind'),
      options: [['', 'any'], ...KINDS.map((kind) => [kind, kind.replace('_', ' ')] as const)],
    },
    { name: 'statement', label: 'Statement', value: query.get('statement') },
  ])

const stateOf = ({ state }: StatementException): SafeHtml => badge(state, state === 'open' ? 'bad' : 'good')

const verbs = (one: StatementException): SafeHtml => {
  if (one.state === 'acknowledged') return html`${one.acknowledgedBy ?? ''}: ${one.note ?? ''}`
  if (one.state !== 'open') return html`–`
  const settle =
    one.paymentId !== undefined && one.command?.startsWith('gateway payments settle') === true
      ? html`<p>${link(`/payments/${one.paymentId}`, 'Settle it')}, or at a shell: <code>${one.command ?? ''}</code></p>`
      : ''
  return html`<p>${one.advice}</p>${settle}${postForm({
    action: `${LIST}/${one.exceptionId}/acknowledge`,
    button: 'Acknowledge',
    fields: [noteField(String(one.exceptionId))],
  })}`
}

/** Each field of a page has an id of its own. */
const noteField = (of: string): SafeHtml =>
  html`<div class="field"><label for="note-${of}">Note on ${of}</label><input id="note-${of}" name="note" required></div>`

/** A paybill that is also paid by hand has many of a kind. */
const all = ({ statementId, kind }: ReturnType<typeof filterOf>): SafeHtml | string =>
  statementId === undefined || kind === undefined
    ? ''
    : section(
        'All of this kind',
        postForm({
          action: `${LIST}/acknowledge`,
          button: `Acknowledge every ${kind.replace('_', ' ')} of statement ${statementId}`,
          fields: [
            hidden('statement', String(statementId)),
            hidden('kind', kind),
            field({ name: 'note', label: 'What all of them are', required: true }),
          ],
          tone: 'danger',
        }),
      )

const CSV_COLUMNS = [
  'exception_id',
  'statement_id',
  'kind',
  'state',
  'payment_id',
  'receipt',
  'paid_kes',
  'completed_at',
  'sentence',
  'note',
]

async function* csvRows(call: Call) {
  const filter = filterOf(call)
  const rows = everyPage<StatementException, bigint>(async (before) => {
    const request = { pageSize: 1000, before: before ?? undefined, ...filter }
    const page = await call.clients.statements.listStatementExceptions(request)
    return { rows: page.exceptions, next: page.nextBefore ?? null }
  })
  for await (const one of rows)
    yield [
      one.exceptionId,
      one.statementId,
      one.kind,
      one.state,
      one.paymentId,
      one.receipt,
      one.paidCents === undefined ? null : Number(one.paidCents) / 100,
      one.completedAt && toDate(one.completedAt),
      one.sentence,
      one.note,
    ]
}
