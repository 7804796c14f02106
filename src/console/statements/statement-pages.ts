import { html, type SafeHtml } from '@remix-run/html-template'
import type { FastifyInstance } from 'fastify'
import type { Statement, StatementExceptionCount } from '../../gen/mpesa/gateway/v1/statements_pb.js'
import { suffices } from '../../values/operator-role.ts'
import type { ConsoleParts } from '../console-parts.ts'
import { everyPage } from '../csv.ts'
import { facts, link, section } from '../page/elements.ts'
import { pager, table } from '../page/table.ts'
import { time, toDate } from '../page/time.ts'
import { addPage, type Call } from '../route.ts'
import { addUpload } from '../upload.ts'
import { centsText, readCursor, readIdOf } from './amounts.ts'
import { addExceptionLists } from './exception-list.ts'
import { IMPORT_PATH, importForm, importStatement, STATEMENT_BOUND } from './import-statement.ts'
import { addTotalsPage } from './totals-page.ts'

/** M-PESA's statements: the list, each with what of it does not fit, and what was paid in all. */
export const addStatementPages = (app: FastifyInstance, parts: ConsoleParts): void => {
  addPage(app, parts, {
    path: '/statements',
    needs: 'look',
    answer: async (call) => ({ title: 'Statements', body: await listBody(call) }),
    csv: (call) => ({ name: 'statements', columns: CSV_COLUMNS, rows: csvRows(call) }),
  })
  addPage(app, parts, {
    path: '/statements/:id',
    needs: 'look',
    answer: async (call) => ({ title: `Statement ${call.params['id']}`, body: await oneBody(call) }),
  })
  addUpload(app, parts, {
    path: IMPORT_PATH,
    needs: 'mend',
    act: importStatement,
    bound: STATEMENT_BOUND,
    back: '/statements',
  })
  addExceptionLists(app, parts)
  addTotalsPage(app, parts)
}

const PAGE_SIZE = 50

const listBody = async (call: Call): Promise<SafeHtml> => {
  const before = readCursor(call, 'before')
  const { statements, nextBefore } = await call.clients.statements.listStatements({
    pageSize: PAGE_SIZE,
    before,
  })
  return html`<p>M-PESA's statements, held against the payments here. ${link('/statement-exceptions', 'What does not fit')},
${link('/statements/totals', 'what was paid in all')}. At a shell: <code>gateway statement import FILE</code></p>
${suffices(call.operator.role, 'mend') ? importForm() : ''}${table({
  caption: 'Statements, newest first',
  columns: [
    { head: 'Statement', cell: ({ statementId }) => link(`/statements/${statementId}`, String(statementId)) },
    { head: 'Shortcode', cell: ({ shortcode }) => shortcode },
    { head: 'Covers from', cell: ({ coversFrom }) => time(coversFrom) },
    { head: 'Covers to', cell: ({ coversTo }) => time(coversTo) },
    { head: 'Paid lines', kind: 'number', cell: ({ paidLines }) => paidLines },
    { head: 'KES paid in', kind: 'number', cell: ({ paidCents }) => centsText(paidCents) },
    { head: 'Imported by', cell: ({ importedBy }) => importedBy },
  ],
  rows: statements,
  none: 'No statement was imported yet.',
})}${pager(call, { cursor: 'before', next: nextBefore === undefined ? null : String(nextBefore), csv: true })}`
}

const oneBody = async (call: Call): Promise<SafeHtml> => {
  const statementId = readIdOf(call)
  const { statement, matchedLines, exceptions } = await call.clients.statements.getStatement({ statementId })
  return html`${statement === undefined ? '' : factsOf(statement, matchedLines)}${section(
    'What does not fit',
    html`${countsTable(statementId, exceptions)}<p>${link(
      `/statement-exceptions?statement=${statementId}&open=yes`,
      'All of it that is open',
    )}</p>`,
  )}`
}

const factsOf = (statement: Statement, matchedLines: number): SafeHtml =>
  facts([
    ['File', statement.fileName],
    ['Shortcode', statement.shortcode],
    ['Covers from', time(statement.coversFrom)],
    ['Covers to', time(statement.coversTo)],
    ['Imported', html`${time(statement.importedAt)} by ${statement.importedBy}`],
    ['Lines', statement.lines],
    ['Lines paid in', statement.paidLines],
    ['Lines of payments here', matchedLines],
    ['Lines known before', statement.knownLines],
    ['KES paid in', centsText(statement.paidCents)],
    ['KES withdrawn', centsText(statement.withdrawnCents)],
  ])

const countsTable = (statementId: bigint, counts: readonly StatementExceptionCount[]): SafeHtml =>
  table({
    caption: 'By kind',
    columns: [
      {
        head: 'Kind',
        cell: ({ kind }) =>
          link(`/statement-exceptions?statement=${statementId}&kind=${kind}`, kind.replace('_', ' ')),
      },
      { head: 'In all', kind: 'number', cell: ({ exceptions }) => exceptions.toLocaleString('en-US') },
      { head: 'Open', kind: 'number', cell: openText },
    ],
    rows: counts,
    none: 'Everything fits.',
  })

const openText = ({ open, openOrMore }: StatementExceptionCount): string =>
  `${open.toLocaleString('en-US')}${openOrMore ? ' or more' : ''}`

const CSV_COLUMNS = [
  'statement_id',
  'shortcode',
  'covers_from',
  'covers_to',
  'lines',
  'paid_lines',
  'paid_kes',
  'imported_by',
]

async function* csvRows({ clients }: Call) {
  const rows = everyPage<Statement, bigint>(async (before) => {
    const page = await clients.statements.listStatements({ pageSize: 1000, before: before ?? undefined })
    return { rows: page.statements, next: page.nextBefore ?? null }
  })
  for await (const one of rows)
    yield [
      one.statementId,
      one.shortcode,
      one.coversFrom && toDate(one.coversFrom),
      one.coversTo && toDate(one.coversTo),
      one.lines,
      one.paidLines,
      Number(one.paidCents) / 100,
      one.importedBy,
    ]
}
